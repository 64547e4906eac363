"""A training can be killed and goes on with the same bits, alone or among others."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from mnist_helpers import CNN, load_checkpoint, load_mnist, save_checkpoint
from mnist_helpers.__main__ import load_share, main, parse
from mnist_helpers.fast import make_fast

DATA = Path(__file__).parents[1] / "notebooks" / "data"
HISTORY = {"train_loss": [1.0], "validation_step": [1]}
SMALL = ["train", "--images", "1280", "--batch-size", "64", "--precision", "fp32"]


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


def test_going_on_is_the_same_as_never_having_stopped(saved):
    path, undisturbed = saved
    take_step(**undisturbed)
    resumed = parts(seed=1)
    state = load_checkpoint(path, **resumed)
    take_step(**resumed)  # its images come from the random state in the file
    assert (state["epoch"], state["history"]) == (1, HISTORY)
    for name, weights in undisturbed["model"].state_dict().items():
        assert torch.equal(weights, resumed["model"].state_dict()[name]), name
    assert resumed["scheduler"].get_last_lr() == undisturbed["scheduler"].get_last_lr()


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


def test_a_killed_write_leaves_the_old_file(saved, monkeypatch):
    path, made = saved
    before = path.read_bytes()

    def write_half(state, file):
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", write_half)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, HISTORY, **made)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 10, 5000, 0.5, 0.99])
def test_a_file_cut_short_is_refused(saved, kept):
    path, made = saved
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    before = copy.deepcopy(made["model"].state_dict())
    with pytest.raises(ValueError, match=r"checkpoint\.pt is damaged or cut short"):
        load_checkpoint(path, **made)
    assert all(torch.equal(before[name], made["model"].state_dict()[name]) for name in before)


class Command:
    def __reduce__(self):
        return os.mkdir, ("opened",)


def test_code_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, write in [("torch.pt", torch.save), ("plain.pt", None)]:
        if write:
            write({"model": Command()}, path)
        else:
            Path(path).write_bytes(pickle.dumps(Command(), protocol=2))
        with pytest.raises(ValueError, match="more than numbers, perhaps code"):
            load_checkpoint(path, model=CNN())
    assert not Path("opened").exists()


@pytest.mark.parametrize("content", [{"model": CNN().state_dict()}, {}, [1, 2], torch.ones(2)])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt is not a checkpoint of this"):
        load_checkpoint(tmp_path / "other.pt", model=CNN(), optimizer=parts(0)["optimizer"])


def test_another_architecture_is_refused(saved):
    with pytest.raises(ValueError, match="not a checkpoint of this model"):
        load_checkpoint(saved[0], model=nn.Linear(2, 2))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        load_checkpoint(tmp_path / "none.pt", model=CNN())


# The command


def weights_of(folder):
    return torch.load(folder / "cnn.pt", weights_only=True)


def test_a_killed_command_goes_on_with_the_same_bits(tmp_path):
    """Alone; that one of two workers is killed, notebook 13 shows."""
    arguments = [*SMALL, "--epochs", "40", "--data", str(DATA), "--output"]
    command = [sys.executable, "-m", "mnist_helpers", *arguments, tmp_path / "killed", "--resume"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    started = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    while started.poll() is None and not checkpoint.exists():
        time.sleep(0.005)
    started.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert started.wait() != 0, "it should have been killed before its end"
    assert not (tmp_path / "killed" / "cnn.pt").exists()
    for folder in ("killed", "undisturbed"):
        command[-2] = tmp_path / folder
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    one, other = weights_of(tmp_path / "killed"), weights_of(tmp_path / "undisturbed")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_without_resume_it_starts_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("mnist_helpers.__main__.finish", lambda options, model, history: None)
    calls = []
    monkeypatch.setattr(
        "mnist_helpers.__main__.load_checkpoint",
        lambda path, **parts: calls.append(path) or torch.load(path, weights_only=True),
    )
    arguments = [*SMALL, "--epochs", "1", "--data", str(DATA), "--output", str(tmp_path)]
    for resume, count in [([], 0), ([], 0), (["--resume"], 1)]:
        main([*arguments, *resume])
        assert len(calls) == count


def test_each_of_two_sees_its_share_of_every_batch():
    options = parse([*SMALL, "--data", str(DATA)])
    images, labels = load_mnist(DATA, "train")
    loaders, orders = zip(*(load_share(options, rank, 2) for rank in (0, 1)), strict=True)
    (whole, whole_order), seen = load_share(options, 0, 1), []
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


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path):
    with pytest.raises(ValueError, match="64 cannot be shared by 3"):
        load_share(parse([*SMALL, "--data", str(DATA)]), 0, 3)


def test_a_damaged_checkpoint_ends_with_one_line(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(SystemExit, match="damaged or cut short"):
        main([*SMALL, "--data", str(DATA), "--output", str(tmp_path), "--resume"])
