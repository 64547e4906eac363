"""Notebook 12 fetches another data set, or goes on without: no network, no half of a file."""

import functools
import pickle
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from mirror import serve
from project import RAW
from project import taught as taught_in
from torchvision import datasets

NOWHERE = "http://127.0.0.1:9/"
CALLS = [
    ("FashionMNIST", {}, (1, 28, 10)),
    ("KMNIST", {}, (1, 28, 10)),
    ("EMNIST", {"split": "letters"}, (1, 28, 27)),
    ("CIFAR10", {}, (3, 32, 10)),
]


@pytest.fixture
def taught():
    return taught_in(12, "make_cnn", "fetch", "learn", train_images=None, train_labels=None)


@pytest.fixture(autouse=True)
def cut_off(tmp_path, monkeypatch):
    """Work in an empty folder, in a world without the servers of the four data sets."""
    monkeypatch.chdir(tmp_path)
    go_to(NOWHERE, monkeypatch)


def go_to(address, monkeypatch):
    for kind in (datasets.FashionMNIST, datasets.KMNIST):
        monkeypatch.setattr(kind, "mirrors", [address])
    monkeypatch.setattr(datasets.EMNIST, "url", address + "gzip.zip")
    monkeypatch.setattr(datasets.CIFAR10, "url", address + datasets.CIFAR10.filename)


@pytest.mark.parametrize(("name", "options", "shape"), CALLS)
def test_without_a_network_there_is_nothing(taught, capfd, name, options, shape):
    assert taught.fetch(name, **options) is None
    assert not list(Path("output").rglob("*"))
    assert not Path("output", name).exists()
    assert capfd.readouterr() == ("", "")
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(("name", "options", "shape"), CALLS)
def test_a_false_file_is_not_kept(taught, tmp_path, monkeypatch, capfd, name, options, shape):
    served = tmp_path / "served"
    served.mkdir()
    packed = [name for name, _ in datasets.FashionMNIST.resources + datasets.KMNIST.resources]
    for file in [*packed, "gzip.zip", datasets.CIFAR10.filename]:
        (served / file).write_bytes(b"not what it should be")
    server = serve(served)
    go_to(next(server), monkeypatch)
    assert taught.fetch(name, **options) is None
    assert not Path("output", name).exists()
    assert capfd.readouterr() == ("", "")
    server.close()


def pretend(name, monkeypatch):
    """Lay MNIST, or noise, where torchvision would have unpacked a data set."""
    raw = Path("output", name, name, "raw")
    if name == "CIFAR10":
        raw = Path("output", name, "cifar-10-batches-py")
        monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
        monkeypatch.setattr(datasets.CIFAR10, "_load_meta", lambda self: None)
    raw.mkdir(parents=True)
    if name == "CIFAR10":
        labels = np.arange(10_000) % 10
        for batch in range(1, 6):
            images = np.random.default_rng(batch).integers(0, 128, (10_000, 3072), np.uint8)
            content = {"data": images + 12 * labels[:, None].astype(np.uint8), "labels": [*labels]}
            (raw / f"data_batch_{batch}").write_bytes(pickle.dumps(content))
        return
    for path in RAW.glob("*-ubyte"):
        for split, to in [("train", "train"), ("t10k", "test")]:
            if name == "EMNIST" and path.name.startswith(split):
                shutil.copy(path, raw / path.name.replace(split, f"emnist-letters-{to}"))
        if name != "EMNIST":
            shutil.copy(path, raw)


# One of the four is enough for each push: what differs between them is tested above.
WEEKLY = [pytest.param(*call, marks=pytest.mark.weekly) for call in CALLS[1:]]


@pytest.mark.parametrize(("name", "options", "shape"), [CALLS[0], *WEEKLY])
def test_what_is_there_is_learned(taught, monkeypatch, name, options, shape):
    pretend(name, monkeypatch)
    asked = []
    make_cnn = taught.make_cnn
    monkeypatch.setattr(taught, "make_cnn", lambda *sizes: asked.append(sizes) or make_cnn(*sizes))
    monkeypatch.setattr(taught, "train", functools.partial(taught.train, epochs=1))
    dataset = taught.fetch(name, **options)
    assert len(dataset) >= 50_000
    assert taught.learn(dataset) > 0.8
    # The letters here are MNIST's digits, whose highest label is 9.
    assert asked == [shape if name != "EMNIST" else (1, 28, 10)]
