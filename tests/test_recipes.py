"""The recipes of make bench and make ladder: their networks, their images, and their files."""

import csv
from dataclasses import replace

import bench
import ladder
import pytest
import recipes
import torch
from project import DATA
from torchvision.datasets import MNIST

from mnist_helpers import CNN, accuracy_of, load_mnist
from mnist_helpers.fast import FastCNN


@pytest.fixture(scope="module")
def small_data():
    images, labels = load_mnist(DATA, "train")
    return images[:2000], labels[:2000]


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.fixture
def tiny(small_data):
    """The data of a ladder, small."""
    images, labels = small_data[0][:256], small_data[1][:256]
    return dict.fromkeys(("train", "validation", "test"), (images, labels))


def test_the_networks_have_the_parameters_that_their_docstrings_say():
    assert count(recipes.Wide()) == 215_194
    assert count(recipes.Wide(32, 64)) == 431_754
    assert count(recipes.Deep()) == 288_170
    for network in (recipes.Wide(), recipes.Deep()):
        assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def centre_of_ink(images):
    """Return where the ink of each image lies on average, (column, row) in pixels: (N, 2)."""
    ink, places = images[:, 0] + 1, torch.arange(28.0)
    whole = ink.sum(dim=(1, 2))
    return torch.stack([ink.sum(dim=1) @ places / whole, ink.sum(dim=2) @ places / whole], dim=1)


@pytest.mark.parametrize("bend", [0, 1])
def test_images_are_varied_a_little_and_only_while_learning(small_data, bend):
    images = small_data[0][:64]
    vary = recipes.Vary(bend)
    torch.manual_seed(0)
    varied, again = vary(images), vary(images)
    assert varied.shape == images.shape
    assert varied.min() >= -1.0001 and varied.max() <= 1.0001
    assert not torch.equal(varied, again), "another way each time"
    ink, ink_before = (varied + 1).sum().item(), (images + 1).sum().item()
    assert ink == pytest.approx(ink_before, rel=0.05)
    moved = (centre_of_ink(varied) - centre_of_ink(images)).abs()
    assert moved.mean() > 0.2 and moved.max() < 4, "by some pixels at most"
    assert torch.equal(vary.eval()(images), images)


def test_a_recipe_is_what_it_says(tiny):
    steps = len(tiny["train"][0]) // 64
    model, optimizer, scheduler = recipes.prepare(ladder.lesson, steps, torch.device("cpu"))
    assert isinstance(model, CNN) and not isinstance(model, FastCNN)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["betas"]) == (0.001, (0.9, 0.999))
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.001], "the rate of the lesson stays"
    fast = replace(ladder.fast, batch=64)
    *_, scheduler = recipes.prepare(fast, 40, torch.device("cpu"))
    assert scheduler.get_last_lr() == [pytest.approx(fast.rate / 25)]


def test_a_recipe_trains(tiny):
    recipe = replace(ladder.fast, batch=32, epochs=4, smoothing=0.05)
    model, seconds, recording = recipes.train(recipe, *tiny["train"], seed=0)
    assert accuracy_of(model, *tiny["test"]) > 0.5
    assert seconds > 0 and recording >= 0
    again, *_ = recipes.train(recipe, *tiny["train"], seed=0)
    assert all(map(torch.equal, model.parameters(), again.parameters()))


def test_what_is_measured_already_is_not_measured_again(tmp_path, monkeypatch, tiny):
    runs = []

    def measure(rung, seed, data):
        runs.append((rung, seed))
        return {"validation accuracy": 99.0, "test accuracy": 98.5 + seed / 100, "seconds": 1.0}

    monkeypatch.setattr(ladder, "load_data", lambda folder, device: tiny)
    monkeypatch.setattr(ladder, "measure", measure)
    low, high = [*ladder.RUNGS][:2]
    file, device = tmp_path / "ladder.csv", torch.device("cpu")
    ladder.climb(file, [low, high], 1, device)
    ladder.climb(file, [low, high], 2, device)
    assert runs == [(low, 0), (high, 0), (low, 1), (high, 1)]
    with file.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["figure"] == "test accuracy"]
    assert [(row["arm"], row["seed"]) for row in rows] == [
        (low, "0"),
        (low, "1"),
        (high, "0"),
        (high, "1"),
    ]
    assert [row["value"] for row in rows] == ["98.5", "98.51"] * 2


def test_hard_images_are_those_with_the_largest_losses_and_some_others():
    losses = torch.rand(1000)
    chosen = bench.hard_images(losses, 100)
    assert len(chosen.unique()) == 100
    hardest = set(losses.topk(70).indices.tolist())
    assert hardest <= set(chosen.tolist())
    others = torch.tensor([number for number in chosen.tolist() if number not in hardest])
    assert losses[others].mean() < 0.6, "drawn from all the others, not the next in the row"


def test_the_halves_of_the_fast_network_are_the_whole(small_data):
    model, images = FastCNN(), small_data[0][:8]
    assert torch.equal(bench.logits_of(model, bench.first_maps(model, images)), model(images))


def test_the_first_layer_stays_while_the_hard_images_are_learned(small_data, monkeypatch):
    kept = []
    halves = bench.first_maps

    def first_maps(model, images):
        kept.append(model.conv1.weight.clone())
        return halves(model, images)

    monkeypatch.setattr(bench, "first_maps", first_maps)
    torch.manual_seed(0)
    trained = bench.hard_ones_again(None, MNIST(DATA).data[:2000], small_data[1])
    assert isinstance(trained, CNN) and kept
    assert all(torch.equal(weight, trained.conv1.weight) for weight in kept)
    assert accuracy_of(trained, *(part[:500] for part in small_data)) > 0.5
