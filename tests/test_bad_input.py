"""Bad input gets a clear answer: what came, what was expected, what to do; and nothing is lost."""

import builtins
import contextlib
import functools
import gzip
import http.server
import importlib.metadata
import io
import itertools
import math
import os
import shutil
import socket
import threading
import warnings
from pathlib import Path

import pytest
import torch
from mirror import serve
from project import DATA, URL
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR
from torchvision.datasets import MNIST

from mnist_helpers import CNN, evaluate, files, fit, load_mnist, make_loader
from mnist_helpers.__main__ import main, parse
from mnist_helpers.training import check_finite

PACKED = "t10k-images-idx3-ubyte.gz"
UNPACKED = "t10k-images-idx3-ubyte"


# The network and the loop


WRONG_IMAGES = {
    "three channels": (torch.zeros(2, 3, 28, 28), "torch.float32 of shape (2, 3, 28, 28)"),
    "no batch, no channel": (torch.zeros(28, 28), "torch.float32 of shape (28, 28)"),
    "no batch": (torch.zeros(1, 28, 28), "torch.float32 of shape (1, 28, 28)"),
    "no channel": (torch.zeros(2, 28, 28), "torch.float32 of shape (2, 28, 28)"),
    "channel last": (torch.zeros(2, 28, 28, 1), "torch.float32 of shape (2, 28, 28, 1)"),
    "bytes": (
        torch.zeros(2, 1, 28, 28, dtype=torch.uint8),
        "torch.uint8 of shape (2, 1, 28, 28)",
    ),
    "whole numbers": (
        torch.zeros(2, 1, 28, 28, dtype=torch.int64),
        "torch.int64 of shape (2, 1, 28, 28)",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_IMAGES)
def test_cnn_refuses_other_images(wrong):
    images, named = WRONG_IMAGES[wrong]
    with pytest.raises(ValueError, match="floating-point images of shape") as raised:
        CNN()(images)
    assert "(N, 1, 28, 28)" in str(raised.value)
    assert named in str(raised.value)


def test_cnn_refuses_other_sizes():
    """Those of 28 to 31 pixels would pass in silence: pooling drops what is left over."""
    model = CNN()
    passed = []
    for height, width in itertools.product(range(26, 34), repeat=2):
        try:
            model(torch.zeros(1, 1, height, width))
            passed.append((height, width))
        except ValueError as error:
            assert f"but got torch.float32 of shape (1, 1, {height}, {width})" in str(error)
    assert passed == [(28, 28)]


@pytest.fixture(scope="module")
def batches():
    """Return three batches of 64 images and their labels."""
    images, labels = load_mnist(DATA, "validation")
    return list(make_loader(images[:192], labels[:192]))


class Loader:
    """Batches whose images turn into NaN in one step, counted over all epochs."""

    def __init__(self, batches, bad_step):
        self.batches, self.bad_step, self.step = batches, bad_step, 0

    def __iter__(self):
        for images, labels in self.batches:
            self.step += 1
            yield images * (torch.nan if self.step == self.bad_step else 1), labels


def test_a_rate_too_high_stops_before_the_weights_are_lost(batches):
    torch.manual_seed(0)
    model = CNN()
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=100)
    with pytest.raises(FloatingPointError, match=r"epoch 1, step \d+: .*lower the learning rate"):
        fit(model, batches * 10, batches, nn.CrossEntropyLoss(), optimizer, epochs=1)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, before[name]), name


def test_nan_in_a_later_epoch_brings_back_the_start_of_that_epoch(batches):
    torch.manual_seed(0)
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters())
    starts = []

    def remember(epoch, history):
        starts.append({name: weights.clone() for name, weights in model.state_dict().items()})

    loader = Loader(batches, bad_step=3 + 3 + 2)
    with pytest.raises(FloatingPointError, match=r"epoch 3, step 2: .*lower the learning rate"):
        fit(model, loader, batches, nn.CrossEntropyLoss(), optimizer, 5, after_epoch=remember)
    assert len(starts) == 2
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, starts[1][name]), name


def test_an_infinite_gradient_stops_too(batches):
    model = CNN()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.fc.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 1: .*gradient is not finite"):
        fit(model, batches, batches, nn.CrossEntropyLoss(), optimizer, epochs=1)
    assert all(torch.isfinite(weights).all() for weights in model.state_dict().values())


BAD_NUMBERS = [math.nan, math.inf, -math.inf]
PARAMETERS = [name for name, _ in CNN().named_parameters()]


@pytest.fixture
def with_gradients():
    """A network whose gradients are large, with a step of them not yet taken."""
    model = CNN()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, -1e30)
    return model


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_a_loss_that_is_no_number_is_found(with_gradients, bad):
    with pytest.raises(FloatingPointError, match=r"the loss \(-?(nan|inf)\)"):
        check_finite(torch.tensor(bad), with_gradients)


@pytest.mark.parametrize("bad", BAD_NUMBERS)
@pytest.mark.parametrize("name", PARAMETERS)
def test_one_bad_number_in_any_gradient_is_found(with_gradients, name, bad):
    with_gradients.get_parameter(name).grad.flatten()[-1] = bad
    with pytest.raises(FloatingPointError, match=r"the loss \(2\) or a gradient is not finite"):
        check_finite(torch.tensor(2.0), with_gradients)


def test_large_gradients_are_no_fault(with_gradients):
    """Their squares would be infinite in 32 bits."""
    check_finite(torch.tensor(1e30), with_gradients)
    with_gradients.conv1.weight.grad = None  # a frozen layer has none
    check_finite(torch.tensor(-1e30), with_gradients)


def test_the_stop_button_keeps_what_there_is(batches):
    torch.manual_seed(0)
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters())

    def press_stop(history):
        if len(history["train_loss"]) == 5:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="stopped in epoch 2"):
        history = fit(
            model, batches, batches, nn.CrossEntropyLoss(), optimizer, 9, after_step=press_stop
        )
    assert len(history["train_loss"]) == 5
    assert history["validation_step"] == [3]
    loss, _ = evaluate(model, batches, nn.CrossEntropyLoss())
    assert loss < history["train_loss"][0]
    later = fit(model, batches, batches, nn.CrossEntropyLoss(), optimizer, epochs=1)
    assert later["validation_step"] == [3]


@pytest.mark.parametrize("moment", [4, 6, 7], ids=["first step", "last step", "next epoch"])
@pytest.mark.parametrize("kind", ["one cycle", "exponential"])
def test_a_schedule_goes_on_after_the_stop_button(batches, moment, kind):
    """The epoch that was stopped is done again, at its own rates, and the last step does not fail.

    A one-cycle schedule follows from the number of the step, an exponential one from the last rate.
    """
    torch.manual_seed(0)
    model, criterion = CNN(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    rates, stopped = [], []

    def press_stop(history):
        rates.append(optimizer.param_groups[0]["lr"])  # that of the next step
        if len(history["train_loss"]) == moment:
            stopped.append(len(rates))
            raise KeyboardInterrupt

    if kind == "one cycle":
        scheduler = OneCycleLR(optimizer, max_lr=0.02, total_steps=9)
        planned = OneCycleLR(torch.optim.SGD(model.parameters(), lr=0.01), 0.02, total_steps=9)
    else:
        scheduler = ExponentialLR(optimizer, gamma=0.5)
        planned = ExponentialLR(torch.optim.SGD(model.parameters(), lr=0.01), gamma=0.5)
    expected = []
    for _ in range(9):
        planned.optimizer.step()
        planned.step()
        expected.append(planned.get_last_lr()[0])
    fit_so_far = functools.partial(
        fit, model, batches, batches, criterion, optimizer, scheduler=scheduler
    )
    with pytest.warns(UserWarning, match="stopped in epoch"):
        history = fit_so_far(3, after_step=press_stop)
    finished = len(history["validation_step"])
    first_steps = rates[: 3 * finished]
    del rates[:]
    history = fit_so_far(3 - finished, after_step=press_stop, history=history)
    assert len(history["validation_step"]) == 3
    assert first_steps + rates == pytest.approx(expected)
    assert (scheduler.last_epoch, len(stopped)) == (9, 1)


def test_a_stop_after_the_evaluation_keeps_the_place_in_the_schedule(batches):
    model = CNN()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = OneCycleLR(optimizer, max_lr=0.02, total_steps=6)

    def press_stop(epoch, history):
        raise KeyboardInterrupt

    run = functools.partial(fit, model, batches, batches, nn.CrossEntropyLoss(), optimizer)
    with pytest.warns(UserWarning, match="stopped in epoch 1"):
        history = run(2, scheduler=scheduler, after_epoch=press_stop)
    assert (scheduler.last_epoch, history["validation_step"]) == (3, [3])
    assert run(1, scheduler=scheduler, history=history)["validation_step"] == [3, 6]


# The data files


def test_unknown_split():
    with pytest.raises(ValueError, match="'train', 'validation' or 'test', but got 'dev'"):
        load_mnist(DATA, "dev")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a data folder with the good files, in a world without MNIST's mirrors."""
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(files, "repository_files", list)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (DATA / "MNIST" / "raw").glob("*-ubyte*"):
        if path.name.startswith("t10k"):
            shutil.copy(path, raw)
        else:
            link_or_copy(path, raw / path.name)
    return tmp_path / "data"


def link_or_copy(source, target):
    """Save the copying of the 57 MB that no test damages."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def mirror():
    yield from serve(DATA / "MNIST" / "raw")


@pytest.fixture
def false_mirror(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / PACKED).write_bytes(b"not MNIST")
    yield from serve(tmp_path / "mirror")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def change_one_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove(path):
    path.unlink()


def raw_file(folder, name):
    return folder / "MNIST" / "raw" / name


def is_right(images_and_labels):
    expected = load_mnist(DATA, "test")
    return all(map(torch.equal, images_and_labels, expected))


def test_intact_files_are_left_alone(folder):
    times = {path: path.stat().st_mtime_ns for path in (folder / "MNIST" / "raw").iterdir()}
    assert is_right(load_mnist(folder, "test"))
    assert times == {path: path.stat().st_mtime_ns for path in (folder / "MNIST" / "raw").iterdir()}


def test_a_file_is_read_for_its_sum_once_until_it_changes(tmp_path, monkeypatch):
    read, path = [], tmp_path / "file"
    monkeypatch.setattr(files, "check_integrity", lambda path, md5: read.append(path) or True)
    path.write_bytes(b"as it was")
    assert [files.file_state(path, "its sum") for _ in range(3)] == ["good"] * 3
    assert read == [path]
    before = path.stat()
    path.write_bytes(b"as it is!")  # of the same length, and perhaps within the same tick
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert files.file_state(path, "its sum") == "good"
    assert files.file_state(path, "another sum") == "good"
    assert read == [path] * 3


@pytest.mark.parametrize("damage", [remove, cut_short, change_one_byte])
def test_unpacked_file_is_mended_from_the_packed_one(folder, damage):
    damage(raw_file(folder, UNPACKED))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert is_right(load_mnist(folder, "test"))
    mended = raw_file(folder, UNPACKED).read_bytes()
    assert mended == gzip.decompress(raw_file(folder, PACKED).read_bytes())
    assert {path.name for path in (folder / "MNIST" / "raw").iterdir()} == {
        name for packed, _ in MNIST.resources for name in (packed, packed[:-3])
    }


@pytest.mark.parametrize("damage", [cut_short, change_one_byte])
def test_packed_file_is_not_needed_but_its_fault_is_said(folder, damage):
    damage(raw_file(folder, PACKED))
    with pytest.warns(UserWarning, match=f"{PACKED} is damaged; unpacked, it is good"):
        assert is_right(load_mnist(folder, "test"))


def test_packed_file_may_be_missing(folder):
    raw_file(folder, PACKED).unlink()
    assert is_right(load_mnist(folder, "test"))


@pytest.mark.parametrize("damage", [remove, cut_short, change_one_byte])
@pytest.mark.parametrize("damage_unpacked", [remove, cut_short, change_one_byte])
def test_without_a_good_copy_the_error_names_file_fault_and_cures(folder, damage, damage_unpacked):
    damage(raw_file(folder, PACKED))
    damage_unpacked(raw_file(folder, UNPACKED))
    with pytest.raises(OSError, match="could not be downloaded") as raised:
        load_mnist(folder, "test")
    message = str(raised.value)
    states = ["missing" if how is remove else "damaged" for how in (damage, damage_unpacked)]
    assert f"{PACKED} is {states[0]}; unpacked, it is {states[1]}" in message
    assert "git checkout -- notebooks/data" in message
    assert "where there is a network" in message
    assert "train-images" not in message


@pytest.mark.parametrize("damage", [remove, cut_short, change_one_byte])
def test_without_a_good_copy_it_is_downloaded(folder, damage, mirror, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", [mirror])
    damage(raw_file(folder, PACKED))
    damage(raw_file(folder, UNPACKED))
    assert is_right(load_mnist(folder, "test"))


def test_a_new_folder_is_filled_by_download(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", [mirror])
    assert is_right(load_mnist(tmp_path / "new", "test"))


def test_a_mirror_with_another_file_is_refused(folder, false_mirror, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", [false_mirror])
    remove(raw_file(folder, PACKED))
    remove(raw_file(folder, UNPACKED))
    with pytest.raises(OSError, match=f"{PACKED} is missing; unpacked, it is missing"):
        load_mnist(folder, "test")


# Sources of a download


def test_the_third_source_is_this_repository():
    assert files.repository_files() == [f"{URL}/raw/main/notebooks/data/MNIST/raw/"]


def test_a_copied_package_knows_no_repository(monkeypatch):
    def metadata(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", metadata)
    assert files.repository_files() == []


def test_the_third_source_is_asked_when_the_mirrors_fail(tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/", f"{mirror}none/"])
    monkeypatch.setattr(files, "repository_files", lambda: [mirror])
    assert is_right(load_mnist(tmp_path / "new", "test"))


@pytest.fixture
def silent_mirror():
    """The address of a program that takes every call, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def slow_mirror():
    """The address of a server that sends a byte at a time, and would need days for a file."""
    ended = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(10**7))
            self.end_headers()
            with contextlib.suppress(OSError):  # nobody listens any more
                while not ended.wait(0.01):
                    self.wfile.write(b".")

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        ended.set()
        server.shutdown()


@pytest.fixture
def ask_only(monkeypatch, tmp_path):
    """Ask a mirror, and no other, for MNIST; return what is said when it is given up."""

    def ask(mirror, limit):
        monkeypatch.setattr(files, limit, 0.1)
        monkeypatch.setattr(files, "repository_files", list)
        monkeypatch.setattr(MNIST, "mirrors", [mirror])
        with pytest.raises(OSError, match="could not be downloaded") as raised:
            load_mnist(tmp_path / "none", "test")
        return str(raised.value)

    return ask


def test_a_mirror_that_never_answers_is_given_up(silent_mirror, ask_only):
    said = ask_only(silent_mirror, "SILENCE_LIMIT")
    assert f"{silent_mirror}: no answer in 0.1 seconds" in said
    assert said.count("no answer") == 1, "it is asked once, not for each file"


def test_a_mirror_that_is_too_slow_is_given_up(slow_mirror, ask_only):
    said = ask_only(slow_mirror, "FILE_LIMIT")
    assert f"{slow_mirror}: too slow: not the whole file in 0.1 seconds" in said


def test_the_limits_are_those_that_are_stated():
    for text in (files.download.__doc__, load_mnist.__doc__):
        assert f"{files.SILENCE_LIMIT} seconds" in text
        assert "five minutes" in text
    assert files.FILE_LIMIT == 5 * 60


@pytest.mark.parametrize("kind", [str, Path])
def test_a_tilde_means_home(folder, monkeypatch, kind):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))  # Windows
    remove(raw_file(folder, UNPACKED))
    assert is_right(load_mnist(kind("~/data"), "test"))
    assert raw_file(folder, UNPACKED).exists()


def refuse_to_write(monkeypatch, folder):
    """Make writing below ``folder`` fail as in a read-only folder, which stops not even root."""
    really_open = io.open

    def open_to_read(file, mode="r", *args, **options):
        if isinstance(file, (str, Path)) and Path(file).is_relative_to(folder) and mode[0] in "wax":
            raise PermissionError(13, "Permission denied", str(file))
        return really_open(file, mode, *args, **options)

    monkeypatch.setattr(io, "open", open_to_read)
    monkeypatch.setattr(builtins, "open", open_to_read)


def test_a_folder_that_cannot_be_written_is_read(folder, monkeypatch):
    refuse_to_write(monkeypatch, folder)
    assert is_right(load_mnist(folder, "test"))


@pytest.mark.parametrize("lost", [[UNPACKED], [UNPACKED, PACKED]], ids=["unpacked", "both"])
def test_a_folder_that_cannot_be_written_is_named(folder, monkeypatch, lost, mirror):
    monkeypatch.setattr(MNIST, "mirrors", [mirror])
    for name in lost:
        remove(raw_file(folder, name))
    refuse_to_write(monkeypatch, folder)
    with pytest.raises(OSError, match=UNPACKED) as raised:
        load_mnist(folder, "test")
    assert str(folder) in str(raised.value)


# The command


@pytest.mark.parametrize(
    "arguments",
    [
        "train --epochs 0",
        "train --epochs 1.5",
        "train --lr nan",
        "train --lr -1",
        "train --lr 0",
        "train --lr x",
        "train --images 55001",
        "train --batch-size x",
        "train --batch-size 0",
        "train --precision fp16",
        "train --seed -1",
        "train --seed 99999999999999999999",
        "train --device nonsense",
        "train --device meta",
        f"train --output {__file__}",
        "train --no-such-option",
        "fly",
        "",
    ],
)
def test_wrong_values_end_with_usage_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(arguments.split())
    assert stopped.value.code == 2
    usage, *_, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: python -m mnist_helpers")
    assert "error:" in error


def test_missing_data_ends_with_the_cures(tmp_path, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(files, "repository_files", list)
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--data", str(tmp_path / "none"), "--output", str(tmp_path / "output")])
    assert "train-images-idx3-ubyte.gz is missing" in stopped.value.code
    assert "git checkout -- notebooks/data" in stopped.value.code


def test_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    output = str(tmp_path / "file" / "folder")
    with pytest.raises(SystemExit, match=output):
        main(["train", "--output", output])


def test_a_rate_too_high_ends_with_what_to_do(tmp_path):
    command = ["train", "--images", "1280", "--precision", "fp32"]
    with pytest.raises(SystemExit, match=r"epoch 1, step \d+: .*lower the learning rate"):
        main([*command, "--lr", "1e30", "--output", str(tmp_path)])
    assert not list(tmp_path.iterdir())
