"""A training can be killed and goes on with the same bits, alone or among others."""

import copy
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from project import DATA
from torch import nn

from mnist_helpers import CNN, load_checkpoint, load_mnist, parallel, save_checkpoint, training
from mnist_helpers.__main__ import is_recorded, main, parse, training_batches
from mnist_helpers.fast import make_fast
from mnist_helpers.files import load_weights

HISTORY = {
    "train_loss": [1.0],
    "validation_step": [1],
    "validation_loss": [0.9],
    "validation_accuracy": [0.5],
}
SMALL = ["train", "--images", "640", "--batch-size", "64", "--precision", "fp32"]
SMALL += ["--data", str(DATA)]


def parts(seed):
    torch.manual_seed(seed)
    model, optimizer, scheduler = make_fast(10)
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}


def take_step(model, optimizer, scheduler):
    nn.functional.cross_entropy(model(torch.randn(8, 1, 28, 28)), torch.arange(8)).backward()
    optimizer.step()
    optimizer.zero_grad()
    scheduler.step()


@pytest.fixture
def saved(tmp_path):
    """A checkpoint after one step, and the parts that it was made of."""
    made = parts(seed=0)
    take_step(**made)
    save_checkpoint(tmp_path / "checkpoint.pt", HISTORY, **made)
    return tmp_path / "checkpoint.pt", made


def same(one, other):
    """Tell whether two states are equal, down to the last bit of each tensor in them."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def everything(parts):
    """Return a copy of all that a checkpoint could change."""
    state = {name: part.state_dict() for name, part in parts.items()}
    return copy.deepcopy(state | {"random": torch.get_rng_state()})


def test_going_on_is_the_same_as_never_having_stopped(saved):
    path, undisturbed = saved
    take_step(**undisturbed)
    resumed = parts(seed=1)
    state = load_checkpoint(path, **resumed)
    take_step(**resumed)  # its images come from the random state in the file
    assert (state["epoch"], state["history"]) == (1, HISTORY)
    assert same(everything(undisturbed), everything(resumed))


@pytest.mark.parametrize("left_out", ["model", "optimizer", "scheduler"])
def test_each_part_matters(saved, left_out):
    path, undisturbed = saved
    for _ in range(2):  # the scheduler counts from the second step on: the optimizer keeps the rate
        take_step(**undisturbed)
    resumed = parts(seed=1)
    load_checkpoint(path, **{name: part for name, part in resumed.items() if name != left_out})
    for _ in range(2):
        take_step(**resumed)
    assert not torch.equal(resumed["model"].fc.bias, undisturbed["model"].fc.bias)


# Writing


def test_a_stopped_write_leaves_the_old_file_and_no_other(saved, monkeypatch):
    path, made = saved
    before = path.read_bytes()
    really_write = Path.write_bytes

    def write_half(path, content):
        really_write(path, content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, HISTORY, **made)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_no_other(saved):
    resource = pytest.importorskip("resource")  # Windows has none
    path, made = saved
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # no file may grow larger
    try:
        with pytest.raises(OSError, match="File too large"):
            save_checkpoint(path, HISTORY, **made)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# What is refused changes nothing: neither weights nor means, neither rate nor random numbers.


def refusal(path, running):
    """Return with which words a checkpoint is refused, and see that nothing changed."""
    before = everything(running)
    with pytest.raises(ValueError, match=re.escape(str(path))) as raised:
        load_checkpoint(path, **running)
    assert same(before, everything(running))
    return str(raised.value).removeprefix(str(path)).strip()


@pytest.fixture
def running():
    """Parts that have other weights, means and rates than the saved ones."""
    made = parts(seed=5)
    for _ in range(3):
        take_step(**made)
    return made


@pytest.mark.parametrize("kept", [0, 1, 10, 5000, 0.5, 0.99, 0.9999])
def test_a_file_cut_short_is_refused(saved, running, kept):
    path, _ = saved
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    assert refusal(path, running).startswith("is damaged or cut short")


@pytest.mark.parametrize("content", [b"a letter, not a picture.", b"\x89PNG\r\n\x1a\n", b"PK"])
def test_another_kind_of_file_is_refused(tmp_path, running, content):
    (tmp_path / "other").write_bytes(content)
    assert "torch.save did not write it" in refusal(tmp_path / "other", running)


def test_no_changed_byte_gets_through(saved, running):
    """Either the file is refused, or the byte had no meaning and all comes out as it was saved."""
    path, _ = saved
    whole = path.read_bytes()
    expected = load_checkpoint(path, **parts(seed=1))
    chosen = random.Random(0)
    refused = 0
    for place in chosen.sample(range(len(whole)), 80) + chosen.sample(
        range(len(whole))[-4000:], 40
    ):
        content = bytearray(whole)
        content[place] ^= 1 << chosen.randrange(8)
        path.write_bytes(content)
        before = everything(running)
        try:
            state = load_checkpoint(path, **copy.deepcopy(running))
        except ValueError:
            refused += 1
            assert same(before, everything(running)), place
        else:
            assert same(state, expected), place
            torch.set_rng_state(before["random"])
    assert refused >= 80, "most of the file has a meaning"


class Command:
    def __reduce__(self):
        return os.mkdir, ("opened",)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (torch.save, "holds more than numbers, perhaps code: not opened"),
        (
            lambda value, path: torch.save({"model": CNN(), "code": value}, path),
            "more than numbers",
        ),
        (
            lambda value, path: torch.save(value, path, _use_new_zipfile_serialization=False),
            "is a plain pickle, which could run code: not opened",
        ),
        (
            lambda value, path: path.write_bytes(pickle.dumps(value, protocol=2)),
            "is a plain pickle, which could run code: not opened",
        ),
        (
            lambda value, path: path.write_bytes(pickle.dumps(value, protocol=0)),
            "torch.save did not write it",
        ),
    ],
    ids=["torch.save", "with a network", "before 1.6", "pickle", "pickle of long ago"],
)
def test_code_is_not_run(tmp_path, monkeypatch, running, write, words):
    monkeypatch.chdir(tmp_path)
    write(Command(), tmp_path / "code.pt")
    monkeypatch.setattr("pickle.load", None)
    monkeypatch.setattr("pickle.loads", None)
    assert words in refusal(tmp_path / "code.pt", running)
    assert not Path("opened").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "is not a checkpoint of a training: it is a list"),
        (torch.ones(2), "it is a tensor of shape (2,)"),
        (7, "it is a number"),
        ({}, "no model, optimizer, scheduler, history, random in it"),
        (CNN().state_dict(), "no model, optimizer, scheduler, history, random in it"),
        ({"model": CNN().state_dict()}, "no optimizer, scheduler, history, random in it"),
    ],
    ids=["list", "tensor", "number", "empty", "weights", "weights with a name"],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, running, content, words):
    torch.save(content, tmp_path / "other.pt")
    assert words in refusal(tmp_path / "other.pt", running)


@pytest.mark.parametrize("lost", ["model", "optimizer", "scheduler", "history", "random"])
def test_a_lost_entry_is_named(saved, running, lost):
    path, _ = saved
    state = torch.load(path, weights_only=True)
    del state[lost]
    torch.save(state, path)
    assert refusal(path, running) == f"is not a checkpoint of a training: no {lost} in it"


def without(values, name):
    return {key: value for key, value in values.items() if key != name}


def optimizer_of(kind, model):
    """Return the state of another optimizer after a step, with the entries that schedulers add."""
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer = kind(model.parameters())
    optimizer.step()
    return optimizer.state_dict()


def with_means(state, number, **values):
    """Return the state of an optimizer in which the entries for one parameter are others."""
    return state | {"state": state["state"] | {number: state["state"][number] | values}}


OLD_NAMES = ["features.0.weight", "features.0.bias", "features.3.weight", "features.3.bias"]
OLD_NAMES += ["classifier.weight", "classifier.bias"]

CHANGES = {
    "weights of another network": ("model", lambda saved: nn.Linear(2, 2).state_dict(), "lacks"),
    "a tensor is missing": ("model", lambda saved: without(saved, "fc.bias"), "it lacks fc.bias"),
    "a tensor too many": ("model", lambda saved: saved | {"fc2": torch.ones(1)}, "it has fc2 too"),
    "the last tensor is longer": (
        "model",
        lambda saved: saved | {"fc.bias": torch.ones(11)},
        "(FastCNN): fc.bias should be a tensor of shape (10,) with floating-point numbers, "
        "but is a tensor of shape (11,)",
    ),
    "whole numbers": (
        "model",
        lambda saved: saved | {"fc.bias": torch.ones(10, dtype=torch.int64)},
        "but is a tensor of shape (10,) with torch.int64 numbers",
    ),
    "a number for a tensor": ("model", lambda saved: saved | {"fc.bias": 1}, "but is a number"),
    "a sparse tensor": (
        "model",
        lambda saved: saved | {"fc.bias": torch.ones(10).to_sparse()},
        "fc.bias should be",
    ),
    "a tensor without numbers": (
        "model",
        lambda saved: saved | {"fc.bias": torch.ones(10, device="meta")},
        "fc.bias should be",
    ),
    "no dict": ("model", lambda saved: [1, 2], "it should be a dict, but is a list"),
    "names of version 0.1.0": (
        "model",
        lambda saved: dict(zip(OLD_NAMES, saved.values(), strict=True)),
        "was written by version 0.1.0, and the layers have other names since 0.2.0 "
        "(features.0 is now conv1): train again",
    ),
    "of SGD": (
        "optimizer",
        lambda saved: optimizer_of(torch.optim.SGD, CNN()),
        "is not a checkpoint of this optimizer (Adam): param_groups 0 lacks betas",
    ),
    "of fewer parameters": (
        "optimizer",
        lambda saved: optimizer_of(torch.optim.Adam, nn.Linear(2, 2)),
        "state 0 exp_avg should be a tensor of shape (16, 1, 3, 3)",
    ),
    "two groups": (
        "optimizer",
        lambda saved: saved | {"param_groups": saved["param_groups"] * 2},
        "param_groups should have 1 entries, but has 2",
    ),
    "means of another shape": (
        "optimizer",
        lambda saved: with_means(saved, 5, exp_avg=torch.ones(11)),
        "state 5 exp_avg should be a tensor of shape (10,)",
    ),
    "means are missing": (
        "optimizer",
        lambda saved: saved | {"state": saved["state"] | {5: {"step": torch.tensor(1.0)}}},
        "state 5 lacks exp_avg",
    ),
    "means of no parameter": (
        "optimizer",
        lambda saved: saved | {"state": saved["state"] | {6: saved["state"][5]}},
        "state has 6 too",
    ),
    "of another scheduler": (
        "scheduler",
        lambda saved: {"step_size": 1, "gamma": 0.1, "last_epoch": 3},
        "is not a checkpoint of this scheduler (OneCycleLR): it lacks total_steps",
    ),
    "no place in the cycle": (
        "scheduler",
        lambda saved: saved | {"last_epoch": "third"},
        "last_epoch should be a number, but is a str",
    ),
    "random state too short": (
        "random",
        lambda saved: saved[:100],
        "holds no state of the random numbers: ",
    ),
    "random state of text": (
        "random",
        lambda saved: "dice",
        "holds no state of the random numbers",
    ),
    "no history": ("history", lambda saved: None, "holds no history of fit"),
    "part of a history": (
        "history",
        lambda saved: without(saved, "validation_loss"),
        "holds no history of fit, which has train_loss, validation_step, validation_loss",
    ),
    "a history of texts": (
        "history",
        lambda saved: saved | {"train_loss": ["low"]},
        "whose train_loss is no list of numbers",
    ),
    "an epoch too many": (
        "history",
        lambda saved: saved | {"validation_loss": [1.0, 2.0]},
        "more epochs of one number than of another",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_belongs_to_something_else_is_refused(saved, running, change):
    path, _ = saved
    name, changed, words = CHANGES[change]
    state = torch.load(path, weights_only=True)
    torch.save(state | {name: changed(state[name])}, path)
    assert words in refusal(path, running)


def test_weights_are_refused_the_same_way(tmp_path):
    """The command's predict takes the weights alone, or those of a checkpoint."""
    model = CNN()
    before = copy.deepcopy(model.state_dict())
    bad = CNN().state_dict() | {"fc.bias": torch.ones(11)}
    for content in (bad, {"model": bad}):
        torch.save(content, tmp_path / "bad.pt")
        with pytest.raises(ValueError, match=r"of this model \(CNN\): fc\.bias should be"):
            load_weights(tmp_path / "bad.pt", model)
        assert same(before, model.state_dict())


def test_frozen_parameters_have_no_means(tmp_path):
    made = parts(seed=0)
    for parameter in made["model"].conv1.parameters():
        parameter.requires_grad = False
    take_step(**made)
    assert len(made["optimizer"].state_dict()["state"]) == 4
    save_checkpoint(tmp_path / "checkpoint.pt", HISTORY, **made)
    resumed = parts(seed=1)
    load_checkpoint(tmp_path / "checkpoint.pt", **resumed)
    assert same(everything(made)["optimizer"], everything(resumed)["optimizer"])


def test_a_checkpoint_of_before_the_first_step(tmp_path):
    made = parts(seed=0)
    save_checkpoint(tmp_path / "checkpoint.pt", {name: [] for name in HISTORY}, **made)
    resumed = parts(seed=1)
    load_checkpoint(tmp_path / "checkpoint.pt", **resumed)
    assert same(everything(made), everything(resumed))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        load_checkpoint(tmp_path / "none.pt", model=CNN())


# The command

KILLED = """
import os, signal, sys
from pathlib import Path
from mnist_helpers.__main__ import main

really_write = Path.write_bytes
checkpoints = 0

def write_bytes(path, content):
    global checkpoints
    checkpoints += path.name.startswith("checkpoint.pt")
    if checkpoints == 3:
        really_write(path, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    return really_write(path, content)

Path.write_bytes = write_bytes
main(sys.argv[1:])
"""


def test_a_killed_command_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    """Killed while it writes its third checkpoint, the hard way; two workers: notebook 13."""
    arguments = [*SMALL, "--epochs", "3", "--resume", "--output"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments, tmp_path / "killed"],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
    )
    status = signal.SIGTERM if os.name == "nt" else -signal.SIGKILL
    assert killed.returncode == status, killed.stderr
    assert torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)["epoch"] == 2
    assert not (tmp_path / "killed" / "cnn.pt").exists()
    monkeypatch.setattr("mnist_helpers.__main__.write_results", lambda *results: None)
    states = []
    for folder in ("killed", "undisturbed"):
        main([*arguments, str(tmp_path / folder)])
        states.append(torch.load(tmp_path / folder / "checkpoint.pt", weights_only=True))
    assert same(*states)
    assert states[0]["epoch"] == 3


def test_resume_trains_what_is_left_and_without_it_all_is_anew(tmp_path, monkeypatch):
    """``fit`` counts more epochs, the command all of them."""
    histories = []
    monkeypatch.setattr(
        "mnist_helpers.__main__.write_results",
        lambda options, model, history, first_weights: histories.append(history),
    )
    path = tmp_path / "checkpoint.pt"

    def train(*options):
        arguments = [*SMALL, "--images", "128", "--epochs", "2", "--output", str(tmp_path)]
        main([*arguments, *options])
        return histories[-1]

    anew = train()
    assert train("--resume") == anew, "nothing was left to train"
    halfway = torch.load(path, weights_only=True)
    halfway["history"] = {name: values[:1] for name, values in anew.items()}
    halfway["history"]["train_loss"] = [9.0, 8.0]
    halfway["scheduler"]["last_epoch"] = 2
    assert halfway["plan"] == {
        "epochs": 2,
        "images": 128,
        "batch_size": 64,
        "lr": 0.01,
        "seed": 0,
    }
    torch.save(halfway, path)
    resumed = train("--resume")
    assert resumed["train_loss"][:2] == [9.0, 8.0]
    assert resumed["validation_step"] == [2, 4]
    torch.save(halfway, path)
    assert train() == anew


def test_a_recorded_training_is_saved_stopped_and_goes_on_like_any_other(tmp_path, monkeypatch):
    """As with --device cuda; without a GPU, the step that is recorded there runs as written."""
    results = []
    monkeypatch.setattr("mnist_helpers.__main__.is_recorded", lambda options: True)
    monkeypatch.setattr(
        "mnist_helpers.__main__.write_results",
        lambda options, model, history, first_weights: results.append(
            (copy.deepcopy(model.state_dict()), copy.deepcopy(history))
        ),
    )

    def train(name, *options):
        arguments = [*SMALL, "--images", "200", "--epochs", "2", "--output", str(tmp_path / name)]
        main([*arguments, *options])

    train("whole")
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 2, "mnist_helpers.__main__")
        with pytest.raises(SystemExit):
            train("stopped")
    train("stopped", "--resume")
    (whole, history), (resumed, its_history) = results
    assert len(history["train_loss"]) == 2 * (200 // 64), "whole batches only"
    assert history["validation_step"] == its_history["validation_step"] == [3, 6]
    assert its_history["train_loss"] == history["train_loss"]
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_steps_are_recorded_where_one_process_trains_whole_batches_on_a_gpu():
    def recorded(kind, images):
        options = types.SimpleNamespace(device=torch.device(kind), images=images, batch_size=128)
        return is_recorded(options)

    assert recorded("cuda", 128)
    assert not recorded("cuda", 127)
    assert not recorded("cpu", 128)


def test_each_of_two_sees_its_share_of_every_batch():
    options = parse([*SMALL, "--images", "1280"])
    images, labels = load_mnist(DATA, "train")
    loaders, orders = zip(*(training_batches(options, rank, 2) for rank in (0, 1)), strict=True)
    (whole, whole_order), seen = training_batches(options, 0, 1), []
    for epoch in (0, 1):
        for order in (*orders, whole_order):
            order.set_epoch(epoch)
        numbers = [list(batch) for batch in whole.sampler]
        shares = [[list(batch) for batch in loader.sampler] for loader in loaders]
        assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == list(map(sorted, numbers))
        assert sorted(number for batch in numbers for number in batch) == list(range(1280)), (
            "each image once an epoch"
        )
        seen.append(numbers)
    assert seen[0] != seen[1], "each epoch in another order"
    batch, digits = next(iter(whole))
    assert torch.equal(batch, images[seen[1][0]]) and torch.equal(digits, labels[seen[1][0]])


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="64 cannot be shared by 3"):
        parallel.share_batches([], 64, seed=0, rank=0, workers=3)


def test_each_process_takes_a_device_of_its_own_or_shares(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setattr(torch.accelerator, "set_device_index", taken.append)
    device = torch.device("cuda")
    own = [parallel.take_device(device, number, processes=2) for number in (0, 1)]
    shared = [parallel.take_device(device, number, processes=3) for number in (0, 1, 2)]
    assert own == ["cpu:gloo,cuda:nccl"] * 2
    assert shared == ["gloo"] * 3
    assert taken == [0, 1, 0, 1, 0]


def test_a_damaged_checkpoint_ends_with_one_line(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(SystemExit, match="damaged or cut short"):
        main([*SMALL, "--output", str(tmp_path), "--resume"])


# Going on with other options, and what an unfinished training leaves alone

RESULTS = ["cnn.pt", "history.json", "learning_curve.png", "my_network.html"]
TWO_STEPS = [*SMALL, "--images", "128", "--epochs", "2"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the checkpoint of two epochs, and results that can be told from new ones."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_helpers.__main__.write_results", lambda *results: None)
        main([*TWO_STEPS, "--output", str(folder)])
    for name in RESULTS:
        (folder / name).write_text("of a finished training")
    return folder


@pytest.fixture
def output(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "output")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ending(capsys, *arguments):
    """Return the status with which the command ends, and the one line that says why."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr().err
    if isinstance(stopped.value.code, str):  # Python writes it, and ends with 1
        return 1, stopped.value.code
    assert said.count("\n") == 1
    return stopped.value.code, said.strip()


@pytest.mark.parametrize(
    ("options", "planned"),
    [
        ("--epochs 3", "--epochs 2"),
        ("--epochs 1", "--epochs 2"),
        ("--lr 0.02", "--lr 0.01"),
        ("--images 129", "--images 128"),
        ("--batch-size 32", "--batch-size 64"),
        ("--seed 1 --epochs 4", "--epochs 2 --seed 0"),
    ],
)
def test_another_plan_is_refused_before_anything_starts(
    output, capsys, monkeypatch, options, planned
):
    monkeypatch.setattr("mnist_helpers.__main__.load_mnist", None)
    before = contents(output)
    command = [*TWO_STEPS, *options.split(), "--output", output, "--resume"]
    status, words = ending(capsys, *command)
    assert status == 2
    assert f"checkpoint.pt was planned with {planned}: the learning rate" in words
    assert f"Go on with {planned}, or start anew without --resume" in words
    assert contents(output) == before


def test_what_does_not_change_a_step_may_change(output, monkeypatch):
    """The numbers may be computed elsewhere, and otherwise: nothing is planned with that."""
    seen = []
    monkeypatch.setattr("mnist_helpers.__main__.write_results", lambda *results: seen.append(1))
    data = shutil.copytree(DATA, output / "data")
    changed = ["--precision", "bf16", "--device", "cpu", "--data", str(data)]
    main([*TWO_STEPS, *changed, "--output", str(output), "--resume"])
    assert seen == [1]


def test_a_checkpoint_without_a_plan_is_refused(output, capsys):
    path = output / "checkpoint.pt"
    torch.save(without(torch.load(path, weights_only=True), "plan"), path)
    status, words = ending(capsys, *TWO_STEPS, "--output", output, "--resume")
    assert status == 2
    assert "an older version wrote it. Start anew without --resume" in words


def stop_in_epoch(monkeypatch, number, module="mnist_helpers.training"):
    """Press Ctrl+C while the epoch of this number is evaluated; the module calls ``evaluate``."""
    calls = []
    evaluate = training.evaluate

    def evaluate_or_stop(*arguments):
        calls.append(1)
        if len(calls) == number:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    monkeypatch.setattr(f"{module}.evaluate", evaluate_or_stop)


def test_ctrl_c_in_the_first_epoch_changes_nothing(output, capsys, monkeypatch):
    before = contents(output)
    stop_in_epoch(monkeypatch, 1)
    status, words = ending(capsys, *TWO_STEPS, "--seed", "1", "--output", output)
    assert status == 130
    assert "stopped before the end of the first epoch: all files are as they were" in words
    assert contents(output) == before


def test_ctrl_c_later_keeps_the_checkpoint_and_says_how_to_go_on(
    output, capsys, monkeypatch, tmp_path
):
    before = contents(output)
    stop_in_epoch(monkeypatch, 2)
    command = [*TWO_STEPS, "--seed", "1"]
    status, words = ending(capsys, *command, "--output", output)
    assert status == 130
    assert "checkpoint.pt holds 1 of 2 epochs" in words
    assert "To go on, give the same command with --resume" in words
    after = contents(output)
    assert after.pop("checkpoint.pt") != before.pop("checkpoint.pt")
    assert after == before
    monkeypatch.setattr("mnist_helpers.__main__.write_results", lambda *results: None)
    main([*command, "--output", str(output), "--resume"])
    main([*command, "--output", str(tmp_path / "undisturbed")])
    states = [
        torch.load(folder / "checkpoint.pt", weights_only=True)
        for folder in (output, tmp_path / "undisturbed")
    ]
    assert same(*states)


@pytest.fixture
def largest_file():
    """A function that lets no file grow beyond so many bytes, as if the disk were full."""
    resource = pytest.importorskip("resource")  # Windows has none
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_while_training(output, capsys, largest_file):
    before = contents(output)
    largest_file(100_000)
    status, words = ending(capsys, *TWO_STEPS, "--output", output)
    assert status == 1
    assert words == f"python -m mnist_helpers: {output / 'checkpoint.pt'}: File too large"
    assert contents(output) == before


def test_a_full_disk_at_the_end_replaces_no_result(output, capsys, monkeypatch, largest_file):
    """The weights would fit, the page does not; with room again, --resume writes all."""
    before = contents(output)
    command = [*TWO_STEPS, "--output", output, "--resume"]
    largest_file(200_000)
    status, words = ending(capsys, *command)
    assert status == 1
    assert words == f"python -m mnist_helpers: {output}: File too large"
    assert contents(output) == before
    largest_file(10**7)
    monkeypatch.setattr("mnist_helpers.__main__.evaluate", lambda *arguments: (0, 0))
    main([str(argument) for argument in command])
    after = contents(output)
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in RESULTS)


def test_an_unknown_plotting_backend_is_one_line(output, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)  # it reads this when imported
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    monkeypatch.setattr("mnist_helpers.__main__.load_mnist", None)
    before = contents(output)
    status, words = ending(capsys, *TWO_STEPS, "--output", output)
    assert status == 1
    assert "matplotlib does not start (see MPLBACKEND): " in words
    assert "'nonsense' is not a valid value for backend" in words
    assert "\n" not in words
    assert contents(output) == before
