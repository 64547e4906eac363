"""What mnist_helpers promises for good input: the network, the data, the loop, the command."""

import copy
import json
import math
import re
import subprocess
import sys

import pytest
import torch
from project import DATA
from torch import nn
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from mnist_helpers import (
    CNN,
    activations,
    evaluate,
    fit,
    load_mnist,
    make_loader,
    predict,
    train_one_epoch,
)
from mnist_helpers.__main__ import main
from mnist_helpers.fast import FastCNN, bf16_is_fast, make_fast, recorded_epoch


@pytest.fixture(scope="module")
def train_data():
    return load_mnist(DATA, "train")


@pytest.fixture
def small_data(train_data):
    images, labels = train_data
    return images[:320], labels[:320]


def train_small(small_data, seed, **options):
    """Train a network for two epochs of 5 steps and return it with its history."""
    torch.manual_seed(seed)
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    loader = make_loader(*small_data, shuffle=True, seed=seed)
    validation_loader = make_loader(*small_data, batch_size=100)
    options.setdefault("epochs", 2)
    if make_scheduler := options.pop("make_scheduler", None):
        options["scheduler"] = make_scheduler(optimizer)
    history = fit(model, loader, validation_loader, nn.CrossEntropyLoss(), optimizer, **options)
    return model, history


# The network


def test_cnn_has_its_shapes_and_parameters():
    model = CNN()
    assert sum(parameter.numel() for parameter in model.parameters()) == 20_490
    for count in (0, 1, 5):
        images = torch.zeros(count, 1, 28, 28)
        assert activations(model, images)["pool2"].shape == (count, 32, 7, 7)
        assert model(images).shape == (count, 10)
        assert predict(model, images).shape == (count, 10)


class Plain(nn.Module):
    """The network as a plain script writes it, which knows nothing of this package."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc = nn.Linear(1568, 10)

    def forward(self, images):
        maps = nn.functional.max_pool2d(nn.functional.relu(self.conv1(images)), 2)
        maps = nn.functional.max_pool2d(nn.functional.relu(self.conv2(maps)), 2)
        return self.fc(maps.flatten(1))


def test_weights_of_a_plain_script_load(small_data, tmp_path):
    plain, model = Plain(), CNN()
    torch.save(plain.state_dict(), tmp_path / "plain.pt")
    model.load_state_dict(torch.load(tmp_path / "plain.pt", weights_only=True))
    assert torch.equal(model(small_data[0]), plain(small_data[0]))


def test_predict_gives_the_logits_whatever_the_batch(small_data):
    model, images = CNN(), small_data[0][:7]
    logits = predict(model, images, batch_size=3)
    assert torch.allclose(logits, model(images), atol=1e-6)
    assert not logits.requires_grad


# The data


@pytest.mark.parametrize(
    ("split", "train", "part"),
    [
        ("train", True, slice(0, 55_000)),
        ("validation", True, slice(55_000, 60_000)),
        ("test", False, slice(0, 10_000)),
    ],
)
def test_splits_are_parts_of_mnist(split, train, part):
    images, labels = load_mnist(DATA, split)
    dataset = MNIST(DATA, train=train)
    count = part.stop - part.start
    assert images.shape == (count, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.shape == (count,)
    assert labels.dtype == torch.int64
    assert labels.unique().tolist() == list(range(10))
    assert torch.equal(labels, dataset.targets[part])
    assert torch.equal((images[:, 0] * 127.5 + 127.5).round().byte(), dataset.data[part])


@pytest.mark.parametrize(("split", "first"), [("train", 0), ("validation", 55_000), ("test", 0)])
def test_tensors_equal_the_transform_of_each_image(split, first):
    to_tensor = v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5,), (0.5,))]
    )
    dataset = MNIST(DATA, train=split != "test", transform=to_tensor)
    one_by_one = torch.stack([dataset[first + number][0] for number in range(500)])
    assert torch.equal(load_mnist(DATA, split)[0][:500], one_by_one)


def test_loader_gives_each_image_once_an_epoch():
    images, labels = torch.arange(10.0), torch.arange(10)
    for shuffle in (False, True):
        loader = make_loader(images, labels, batch_size=4, shuffle=shuffle)
        batches = list(loader)
        assert len(loader) == 3
        assert [len(batch) for batch, _ in batches] == [4, 4, 2]
        assert all(torch.equal(batch, numbers) for batch, numbers in batches)
        seen = torch.cat([numbers for _, numbers in batches])
        assert torch.equal(seen, labels) != shuffle
        assert torch.equal(seen.sort().values, labels)


def test_loader_shuffles_anew_each_epoch_and_alike_for_a_seed():
    def orders(seed):
        loader = make_loader(torch.arange(100), torch.arange(100), shuffle=True, seed=seed)
        return [torch.cat([labels for _, labels in loader]).tolist() for _ in range(2)]

    first = orders(seed=0)
    assert first[0] != first[1]
    torch.rand(1)  # the global generator has no part in it
    assert orders(seed=0) == first
    assert orders(seed=1) != first


# The loop


def test_the_same_seed_gives_the_same_bits(small_data):
    (one, one_history), (two, two_history) = (train_small(small_data, seed=3) for _ in range(2))
    assert one_history == two_history
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, two.state_dict()[name]), name
    other, _ = train_small(small_data, seed=4)
    assert not torch.equal(other.fc.weight, one.fc.weight)


def test_one_batch_can_be_learned_by_heart(small_data):
    torch.manual_seed(0)
    model = CNN()
    loader = make_loader(small_data[0][:64], small_data[1][:64])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    loss, accuracy = evaluate(model, loader, nn.CrossEntropyLoss())
    assert accuracy == 1
    assert loss < 0.05


def test_evaluate_averages_per_example(small_data):
    images, labels = small_data[0][:70], small_data[1][:70]
    model = CNN()
    logits = model(images)
    in_batches = evaluate(model, make_loader(images, labels, batch_size=64), nn.CrossEntropyLoss())
    loss = nn.functional.cross_entropy(logits, labels).item()
    assert in_batches[0] == pytest.approx(loss, rel=1e-5)
    assert in_batches[1] == (logits.argmax(dim=1) == labels).sum().item() / 70
    assert not model.training


def test_fit_keeps_the_history_and_calls_back(small_data):
    steps, epochs = [], []
    model, history = train_small(
        small_data,
        seed=0,
        after_step=lambda history: steps.append(len(history["train_loss"])),
        after_epoch=lambda epoch, history: epochs.append((epoch, len(history["train_loss"]))),
    )
    assert steps == list(range(1, 11))
    assert epochs == [(1, 5), (2, 10)]
    assert history["validation_step"] == [5, 10]
    assert {key: len(values) for key, values in history.items()} == {
        "train_loss": 10,
        "validation_step": 2,
        "validation_loss": 2,
        "validation_accuracy": 2,
    }
    assert abs(history["train_loss"][0] - math.log(10)) < 0.3
    loss, accuracy = evaluate(
        model, make_loader(*small_data, batch_size=100), nn.CrossEntropyLoss()
    )
    assert (loss, accuracy) == (history["validation_loss"][1], history["validation_accuracy"][1])


def test_after_epoch_can_stop_the_training(small_data):
    _, history = train_small(
        small_data, seed=0, epochs=5, after_epoch=lambda epoch, history: epoch == 2
    )
    assert history["validation_step"] == [5, 10]


def test_scheduler_is_stepped_after_each_step(small_data):
    schedulers = []

    def make_scheduler(optimizer):
        schedulers.append(torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5))
        return schedulers[0]

    train_small(small_data, seed=0, make_scheduler=make_scheduler)
    assert schedulers[0].get_last_lr()[0] == pytest.approx(0.001 * 0.5**10)


def test_fit_goes_on_from_a_history(small_data):
    """It trains so many epochs more, and counts them on."""
    _, history = train_small(small_data, seed=0, epochs=1)
    losses = list(history["train_loss"])
    epochs = []
    _, longer = train_small(
        small_data,
        seed=0,
        epochs=2,
        history=history,
        after_epoch=lambda epoch, history: epochs.append(epoch),
    )
    assert longer is history
    assert longer["train_loss"][: len(losses)] == losses
    assert longer["validation_step"] == [5, 10, 15]
    assert epochs == [2, 3]


# The fast recipe


def test_fast_cnn_is_the_cnn(small_data):
    images, labels = small_data[0][:100], small_data[1][:100]
    torch.manual_seed(0)
    fast, model = FastCNN(), CNN()
    model.load_state_dict(fast.state_dict())
    for network in (fast, model):
        nn.functional.cross_entropy(network(images), labels).backward()
    assert torch.allclose(fast(images), model(images), atol=1e-5)
    for (name, one), other in zip(fast.named_parameters(), model.parameters(), strict=True):
        learned = other.grad.where(one != 0, 0.0) if name == "fc.weight" else other.grad
        assert torch.allclose(one.grad, learned, atol=1e-5), name
    assert (fast.fc.weight == 0).sum() == 10 * 32 * 24


def test_the_fast_recipe_leaves_the_border_at_zero(small_data):
    torch.manual_seed(0)
    model, optimizer, scheduler = make_fast(11)
    loader = make_loader(*small_data)
    for _ in range(2):
        train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, scheduler)
    assert (model.fc.weight == 0).sum() == 10 * 32 * 24
    assert scheduler.get_last_lr()[0] == pytest.approx(0.01 / 25 / 4)


@pytest.mark.parametrize(
    ("device", "level", "known", "fast"),
    [
        ("cpu", "AVX512", {"avx512_bf16": True}, True),
        ("cpu", "AVX512", {"avx512_bf16": False, "amx_bf16": True}, True),
        ("cpu", "AVX512", {"avx512_bf16": False}, False),
        ("cpu", "AVX512", None, False),
        ("cpu", "AVX2", {"avx512_bf16": True}, False),
        ("cuda", "AVX512", {"avx512_bf16": True}, False),
    ],
)
def test_bf16_is_fast_where_the_processor_knows_it(monkeypatch, device, level, known, fast):
    """``known`` is None for a torch that does not tell, ``level`` what torch may use."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
    if known is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    assert bf16_is_fast(device) is fast


def made_for(steps, lr=0.01):
    torch.manual_seed(0)
    return make_fast(steps, lr)


def test_the_step_to_record_trains_as_the_loop_does(small_data):
    """Without a GPU it runs as it is written, and rates are rounded to 32 bits."""
    images, labels = small_data
    epochs, steps = 2, len(images) // 64
    model, optimizer, scheduler = made_for(epochs * steps)
    torch.manual_seed(1)
    orders = [torch.randperm(len(images))[: 64 * steps].view(-1, 64) for _ in range(epochs)]
    losses = []
    for order in orders:
        loader = [(images[chosen], labels[chosen]) for chosen in order]
        train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, scheduler, losses.append)
    other, *its_own = made_for(epochs * steps)
    torch.manual_seed(1)
    train_epoch = recorded_epoch(other, *its_own, images, labels, 64)
    recorded = [train_epoch() for _ in range(epochs)]
    assert [len(epoch) for epoch in recorded] == [steps] * epochs
    assert recorded[0] + recorded[1] == pytest.approx(losses, abs=1e-5)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-5)
    assert its_own[1].get_last_lr() == scheduler.get_last_lr()


def test_a_recorded_step_that_goes_wrong_changes_nothing_more(small_data):
    images, labels = small_data[0].clone(), small_data[1]
    model, optimizer, scheduler = made_for(20)
    train_epoch = recorded_epoch(model, optimizer, scheduler, images, labels, 64)
    torch.manual_seed(1)
    train_epoch()
    torch.manual_seed(1)
    order = torch.randperm(len(images))
    images[order[64 * 2]] = math.nan  # in the third batch
    torch.manual_seed(1)
    before = copy.deepcopy(model.state_dict())
    moments = copy.deepcopy(optimizer.state_dict()["state"])
    with pytest.raises(FloatingPointError, match=r"^step 3: the loss \(nan\) .*lower the learning"):
        train_epoch()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    state = optimizer.state_dict()["state"]
    assert all(values["exp_avg"].isfinite().all() for values in state.values())
    assert {values["step"].item() for values in state.values()} == {
        moments[0]["step"].item() + 2
    }, "two steps were taken, the third and those behind it were not"


# The command


def test_train_command_writes_weights_and_curve(tmp_path):
    output = tmp_path / "new" / "folder"
    command = [sys.executable, "-m", "mnist_helpers", "train", "--epochs", "1", "--output", output]
    command += ["--images", "6400", "--precision", "fp32"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last_line = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"Test accuracy: \d\d\.\d\d %", last_line)
    assert {file.name for file in output.iterdir()} == {
        "checkpoint.pt",
        "cnn.pt",
        "history.json",
        "learning_curve.png",
        "my_network.html",
    }
    assert (output / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    model = CNN()
    model.load_state_dict(torch.load(output / "cnn.pt", weights_only=True))
    test_loader = make_loader(*load_mnist(DATA, "test"), batch_size=1000)
    _, accuracy = evaluate(model, test_loader, nn.CrossEntropyLoss())
    assert last_line == f"Test accuracy: {100 * accuracy:.2f} %"
    assert accuracy > 0.9
    history = json.loads((output / "history.json").read_text())
    assert len(history["train_loss"]) == 50


def test_precision_is_what_was_asked_for(tmp_path, monkeypatch):
    """And autocast keeps no cache: it would train with the weights of the first step."""
    seen = []

    def fit(*arguments, history, **options):
        seen.append((torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled()))
        return {name: [0, 0, 0] for name in history}

    monkeypatch.setattr("mnist_helpers.__main__.fit", fit)
    monkeypatch.setattr("mnist_helpers.__main__.write_results", lambda *results: None)
    for precision, fast in [("auto", True), ("auto", False), ("fp32", True), ("bf16", False)]:
        monkeypatch.setattr("mnist_helpers.__main__.bf16_is_fast", lambda device, fast=fast: fast)
        main(["train", "--precision", precision, "--device", "cpu", "--output", str(tmp_path)])
    assert [enabled for enabled, _ in seen] == [True, False, False, True]
    assert not any(cache for _, cache in seen)
