"""python -m mnist_helpers predict: a line a picture, a clear error for what cannot be read."""

import io
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

from mnist_helpers import CNN, load_mnist, make_loader, predict, to_mnist, train_one_epoch
from mnist_helpers.__main__ import main
from mnist_helpers.explorer import weights_text

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
        dict.fromkeys(CNN().state_dict(), 1),
        torch.zeros(3),
        [1, 2],
        7,
    ],
    ids=["linear", "wrapped", "numbers", "tensor", "list", "number"],
)
def test_a_checkpoint_of_another_network(folder, capsys, value):
    assert "is not a checkpoint of this model (CNN): " in complaint(folder, capsys, saved(value))


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
    assert "No such file or directory: 'none.pt'" in status


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
