"""python -m mnist_helpers predict: a line a picture, a clear error for what cannot be read."""

import io
import math
import os
import pickle
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import torch
from PIL import Image
from project import DATA
from torch import nn

from mnist_helpers import (
    CNN,
    load_checkpoint,
    load_mnist,
    make_loader,
    predict,
    save_checkpoint,
    to_mnist,
    train_one_epoch,
)
from mnist_helpers.__main__ import main, parse
from mnist_helpers.explorer import weights_text
from mnist_helpers.training import HISTORY

DRAWINGS = resources.files("mnist_helpers") / "drawings"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the weights of a small training, and three test digits as pictures."""
    folder = tmp_path_factory.mktemp("predict")
    torch.manual_seed(0)
    model = CNN()
    images, labels = load_mnist(DATA, "train")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.004)
    loader = make_loader(images[:6000], labels[:6000])
    train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    torch.save(model.state_dict(), folder / "cnn.pt")
    images, labels = load_mnist(DATA, "test")
    for image, label in zip(images[:3], labels[:3].tolist(), strict=True):
        pixels = (127.5 * (1 - image[0])).round().byte().numpy()  # dark on light
        Image.fromarray(pixels).resize((90, 90)).save(folder / f"a {label}.png")
    return folder


def run(folder, capsys, *files, checkpoint="cnn.pt"):
    """Run the command in this process; return its status and what it wrote."""
    arguments = ["predict", "--checkpoint", str(folder / checkpoint)]
    status = 0
    try:
        main([*arguments, *[str(folder / file) for file in files]])
    except SystemExit as stopped:
        status = stopped.code
    return status, *capsys.readouterr()


def test_one_line_a_file_from_a_fresh_process(folder):
    command = [sys.executable, "-m", "mnist_helpers", "predict", "--checkpoint", "cnn.pt"]
    files = ["a 7.png", "a 2.png", "a 1.png"]
    done = subprocess.run([*command, *files], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["a 7.png", "7"], ["a 2.png", "2"], ["a 1.png", "1"]]
    model = CNN()
    model.load_state_dict(torch.load(folder / "cnn.pt", weights_only=True))
    for file, _, probability in lines:
        expected = predict(model, to_mnist(folder / file)[None]).softmax(dim=1).max()
        assert re.fullmatch(r"[01]\.\d{3}", probability)
        assert abs(float(probability) - expected) < 0.001


def test_bad_files_do_not_stop_the_others(folder, capsys, monkeypatch):
    (folder / "letter.png").write_text("Not a picture, a letter.")
    Image.new("L", (40, 40)).save(folder / "empty.png")
    (folder / "cut.png").write_bytes((folder / "a 1.png").read_bytes()[:200])
    files = ["letter.png", "a 7.png", "missing.png", "empty.png", ".", "cut.png", "a 2.png"]
    monkeypatch.chdir(folder)
    status, out, err = run(Path(), capsys, *files)
    assert status == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == ["a 7.png", "a 2.png"]
    complaints = err.splitlines()
    assert [line.partition(":")[0] for line in complaints] == [
        "letter.png",
        "missing.png",
        "empty.png",
        ".",
        "cut.png",
    ]
    assert complaints[1] == "missing.png: No such file or directory"
    assert "nothing drawn" in complaints[2]
    for number in (0, 3, 4):
        assert "not a picture that can be read" in complaints[number]


def test_drawings_of_the_package_are_read(folder, capsys):
    files = sorted(Path(str(DRAWINGS)).glob("*.png"))
    status, out, err = run(folder, capsys, *files)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == len(files) == 5


@pytest.mark.parametrize(
    "arguments",
    [
        "predict",
        "predict a.png",
        "predict --checkpoint cnn.pt",
        "predict --checkpoint",
        "predict -x",
    ],
)
def test_wrong_arguments_end_with_usage_and_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    usage, *_, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: python -m mnist_helpers predict")
    assert "error:" in error


# Checkpoints that are refused


class Code:
    """What runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def complaint(folder, capsys, content):
    """Return what the command says about a checkpoint with this content."""
    (folder / "bad.pt").write_bytes(content)
    status, out, err = run(folder, capsys, "a 7.png", checkpoint="bad.pt")
    assert (out, err) == ("", "")  # sys.exit writes its message when the process ends
    assert status.startswith(f"python -m mnist_helpers: {folder / 'bad.pt'} ")
    return status


def test_a_pickle_with_code_is_refused_and_not_run(folder, capsys):
    code = Code(folder / "was_here")
    for content in (saved(code), saved(CNN())):
        said = complaint(folder, capsys, content)
        assert "holds more than numbers, perhaps code" in said
    old = saved(code, _use_new_zipfile_serialization=False)  # before 1.6
    for content in (old, pickle.dumps(code, protocol=2)):
        assert "is a plain pickle, which could run code" in complaint(folder, capsys, content)
    assert not (folder / "was_here").exists()


@pytest.mark.parametrize("share", [0, 0.02, 0.25, 0.5, 0.9, 0.999])
def test_a_checkpoint_cut_short(folder, capsys, share):
    whole = (folder / "cnn.pt").read_bytes()
    said = complaint(folder, capsys, whole[: int(share * len(whole))])
    assert "is damaged or cut short" in said


def test_a_checkpoint_of_a_training_will_do(folder, capsys):
    """`train` writes cnn.pt, and checkpoint.pt, where the weights have a name."""
    weights = torch.load(folder / "cnn.pt", weights_only=True)
    torch.save({"model": weights, "epoch": 3}, folder / "checkpoint.pt")
    expected = run(folder, capsys, "a 7.png")
    assert run(folder, capsys, "a 7.png", checkpoint="checkpoint.pt") == expected


@pytest.mark.parametrize(
    "value",
    [
        nn.Linear(2, 2).state_dict(),
        nn.Sequential(CNN()).state_dict(),
        {"state_dict": nn.Linear(2, 2).state_dict()},
    ],
    ids=["linear", "a layer in a layer", "with a name"],
)
def test_a_checkpoint_of_another_network(folder, capsys, value):
    said = complaint(folder, capsys, saved(value))
    assert "is not a checkpoint of this model (CNN): it lacks conv1.weight" in said


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(3), "it is a tensor of shape (3,)"),
        ([1, 2], "it is a list"),
        (7, "it is a number"),
        ({}, "no tensors, but nothing"),
        ({"epoch": 3, "loss": 0.1}, "no tensors, but epoch, loss"),
        ({"model": [1, 2]}, "it is a list"),
        (dict.fromkeys(range(9), 1), "no tensors, but 0, 1, 2, 3, 4"),
    ],
    ids=["tensor", "list", "number", "empty", "numbers", "no weights", "many numbers"],
)
def test_what_holds_no_weights_is_not_called_another_network(folder, capsys, value, words):
    said = complaint(folder, capsys, saved(value))
    assert f"holds no weights of a network: {words}" in said
    assert "not a checkpoint of this model" not in said


def renamed(weights, rename):
    return {rename(name): values for name, values in weights.items()}


FOREIGN = {
    "model_state_dict": lambda weights: {"epoch": 3, "model_state_dict": weights},
    "state_dict": lambda weights: {"state_dict": weights, "best_acc1": 0.99},
    "compiled": lambda weights: renamed(weights, lambda name: f"_orig_mod.{name}"),
    "a compiled layer": lambda weights: renamed(
        weights, lambda name: name.replace("fc.", "fc._orig_mod.")
    ),
    "in parallel": lambda weights: {"model": renamed(weights, lambda name: f"module.{name}")},
    "both": lambda weights: renamed(weights, lambda name: f"_orig_mod.module.{name}"),
    "both the other way": lambda weights: {
        "state_dict": renamed(weights, lambda name: f"module._orig_mod.{name}")
    },
    "in 64 bits": lambda weights: {name: values.double() for name, values in weights.items()},
}


@pytest.mark.parametrize("layout", FOREIGN)
def test_weights_that_another_program_has_saved(folder, capsys, layout):
    weights = torch.load(folder / "cnn.pt", weights_only=True)
    torch.save(FOREIGN[layout](weights), folder / "foreign.pt")
    expected = run(folder, capsys, "a 7.png", "a 2.png")
    assert expected[0] == 0
    assert run(folder, capsys, "a 7.png", "a 2.png", checkpoint="foreign.pt") == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
def test_weights_that_are_no_numbers_are_refused(folder, capsys, bad):
    weights = torch.load(folder / "cnn.pt", weights_only=True)
    weights["fc.bias"] = weights["fc.bias"].double()
    weights["fc.bias"][3] = bad
    said = complaint(folder, capsys, saved(weights))
    assert "has NaN or infinity in fc.bias: its training went wrong" in said


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_picture_given_as_a_checkpoint(folder, capsys, kind):
    picture = io.BytesIO()
    Image.open(folder / "a 7.png").save(picture, kind)
    assert f"is a picture ({kind}), not a checkpoint" in complaint(
        folder, capsys, picture.getvalue()
    )


def test_a_checkpoint_of_version_0_1_0(folder, capsys):
    """Its layers had other names."""
    old = {f"features.{name}": torch.zeros(1) for name in ("0.weight", "0.bias", "3.weight")}
    said = complaint(folder, capsys, saved(old))
    assert "the layers have other names since 0.2.0" in said
    assert "train again" in said


def test_a_checkpoint_that_is_not_there(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    status, out, err = run(Path(), capsys, "x.png", checkpoint="none.pt")
    assert (out, err) == ("", "")
    assert status == "python -m mnist_helpers: none.pt: No such file or directory"


def test_export_writes_one_page_with_the_weights(folder, tmp_path, capsys):
    page = tmp_path / "my_network.html"
    main(["export", "--checkpoint", str(folder / "cnn.pt"), str(page)])
    assert capsys.readouterr().out == f"Wrote {page}: open it in a browser\n"
    text = page.read_text(encoding="utf-8")
    assert weights_text(load_cnn(folder / "cnn.pt")) in text
    assert page.stat().st_size < 300_000


def load_cnn(path):
    model = CNN()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def test_export_refuses_what_is_no_network(tmp_path):
    (tmp_path / "cnn.pt").write_bytes(b"not weights")
    with pytest.raises(SystemExit, match=r"cnn\.pt is damaged or cut short"):
        main(["export", "--checkpoint", str(tmp_path / "cnn.pt"), str(tmp_path / "page.html")])
    assert not (tmp_path / "page.html").exists()


# What shells do, or leave to the program


@pytest.fixture
def at_home(folder, monkeypatch):
    """Let the folder with the pictures be the home folder."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))  # Windows
    return folder


def test_a_tilde_means_home(at_home, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["predict", "--checkpoint", "~/cnn.pt", "~/a 7.png", "~/a [12].png"])
    lines = capsys.readouterr().out.splitlines()
    names = ["a 7.png", "a 1.png", "a 2.png"]
    assert [line.split("\t")[:2] for line in lines] == [
        [str(at_home / name), name[2]] for name in names
    ]
    main(["export", "--checkpoint", "~/cnn.pt", "~/at home.html"])
    assert (at_home / "at home.html").exists()
    assert list(tmp_path.iterdir()) == []
    options = parse(["train", "--output", "~/output", "--data", "~/data"])
    assert (options.output, options.data) == (at_home / "output", at_home / "data")
    save_checkpoint("~/training.pt", {name: [] for name in HISTORY}, model=CNN())
    assert load_checkpoint("~/training.pt", model=CNN())["epoch"] == 0


def test_patterns_that_the_shell_left_alone(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "b [1].png").write_bytes((folder / "a 1.png").read_bytes())
    status, out, err = run(Path(), capsys, "a ?.png", "b [1].png", "no*.png")
    names = [line.partition("\t")[0] for line in out.splitlines()]
    assert names == ["a 1.png", "a 2.png", "a 7.png", "b [1].png"]
    assert (status, err) == (1, "no*.png: No such file or directory\n")


def test_output_in_any_encoding_loses_no_reading(folder, monkeypatch):
    (folder / "zwölf 7.png").write_bytes((folder / "a 7.png").read_bytes())
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    files = [str(folder / name) for name in ("zwölf 7.png", "a 2.png")]
    main(["predict", "--checkpoint", str(folder / "cnn.pt"), *files])
    lines = written.getvalue().decode("ascii").splitlines()
    assert [line.split("\t")[1] for line in lines] == ["7", "2"]
    assert "zw\\xf6lf 7.png" in lines[0]


@pytest.mark.parametrize(
    "arguments",
    [
        lambda folder: [str(folder / "a 7.png")],
        lambda folder: ["--help"],
    ],
    ids=["a reading", "the help"],
)
def test_a_closed_pipe_ends_quietly(folder, capsys, monkeypatch, arguments):
    """As ``| head`` closes it, which has seen enough."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as output:  # closing it writes what was not dropped
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as stopped:
            main(["predict", "--checkpoint", str(folder / "cnn.pt"), *arguments(folder)])
    assert (stopped.value.code, capsys.readouterr().err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_to_a_full_disk_is_one_line(folder, capsys, monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as output:
        monkeypatch.setattr(sys, "stdout", output)
        status, _, err = run(folder, capsys, "a 7.png")
    assert (status, err) == ("python -m mnist_helpers: No space left on device", "")
