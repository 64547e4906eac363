"""Train MNIST in several ways, side by side, and compare seconds and accuracy: make bench.

The clock runs from bytes in memory to trained weights. The plain lesson transforms every picture
whenever a batch needs it. 'This' is the recipe of notebook 13. The other two are
networks and recipes of other projects, written anew: the MNIST example of PyTorch (2 of its 14
epochs) and train_mnist_fast (https://github.com/tuomaso/train_mnist_fast).
"""

import argparse
import platform
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR, StepLR
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from mnist_helpers import CNN, load_mnist, make_loader, predict, train_one_epoch
from mnist_helpers.fast import bf16_is_fast, make_fast

TO_FLOAT = v2.ToDtype(torch.float32, scale=True)
HALF = v2.Normalize((0.5,), (0.5,))
MEAN_AND_STD = v2.Normalize((0.1307,), (0.3081,))


class Example(nn.Module):
    """The network of PyTorch's own MNIST example, 1.2 million parameters."""

    def __init__(self):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.linear = nn.Sequential(
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5)
        )
        self.last = nn.Linear(128, 10)

    def forward(self, images):
        return self.last(self.linear(self.convolutions(images)))


class Fast(nn.Module):
    """The network of train_mnist_fast, 215,000 parameters."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 24, 5), nn.Conv2d(24, 32, 3)
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(800, 256), nn.ReLU())
        self.last = nn.Linear(256, 10)

    def forward(self, images):
        maps = F.max_pool2d(self.first(images), 2).relu()
        maps = F.max_pool2d(self.second(maps), 2).relu()
        return self.last(self.linear(maps))


def as_numbers(pixels, normalize):
    return normalize(TO_FLOAT(pixels.unsqueeze(1)))


def picture_loader(folder, normalize, count):
    """Return a loader that makes a picture of each image and transforms it."""
    transform = v2.Compose([v2.ToImage(), TO_FLOAT, normalize])
    dataset = Subset(MNIST(folder, transform=transform), range(count))
    return DataLoader(dataset, batch_size=64, shuffle=True)


def run_epochs(epochs, model, loader, optimizer, scheduler=None, each_epoch=None):
    """Train as lessons do, without a check of the loss."""
    model.train()
    for _ in range(epochs):
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        if each_epoch is not None:
            each_epoch.step()
    return model


def plain_lesson(folder, pixels, labels):
    """Notebook 05's network, data and recipe, as a first lesson writes them."""
    model = CNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    return run_epochs(3, model, picture_loader(folder, HALF, 55_000), optimizer)


def example(folder, pixels, labels):
    """PyTorch's example, two epochs of it."""
    model = Example()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    loader = picture_loader(folder, MEAN_AND_STD, 60_000)
    return run_epochs(2, model, loader, optimizer, each_epoch=StepLR(optimizer, 1, gamma=0.7))


def train_mnist_fast(folder, pixels, labels):
    """One epoch of batches of 256 in a fixed order, OneCycle up to 0.01; channels_last is ours."""
    images = as_numbers(pixels, MEAN_AND_STD)
    loader = list(zip(images.split(256), labels.split(256), strict=True))
    model = Fast().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.9))
    scheduler = OneCycleLR(optimizer, 0.01, total_steps=len(loader), cycle_momentum=False)
    return run_epochs(1, model, loader, optimizer, scheduler)


def this(epochs):
    """The recipe of notebook 13, for so many epochs."""

    def train(folder, pixels, labels):
        images = as_numbers(pixels[:55_000], HALF)
        seed = torch.initial_seed()
        loader = make_loader(images, labels[:55_000], batch_size=128, shuffle=True, seed=seed)
        model, *moving = make_fast(epochs * len(loader))
        low = bf16_is_fast("cpu")
        with torch.autocast("cpu", torch.bfloat16, enabled=low, cache_enabled=False):
            for _ in range(epochs):
                train_one_epoch(model, loader, nn.CrossEntropyLoss(), *moving)
        whole = CNN().to(memory_format=torch.channels_last)
        whole.load_state_dict(model.state_dict())
        return whole

    return train


WAYS = {
    "plain lesson, 3 epochs": (plain_lesson, HALF),
    "this, 1 epoch": (this(epochs=1), HALF),
    "this, 3 epochs": (this(epochs=3), HALF),
    "train_mnist_fast": (train_mnist_fast, MEAN_AND_STD),
    "PyTorch's example, 2 epochs": (example, MEAN_AND_STD),
}


def processor():
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="notebooks/data")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--skip-example", action="store_true", help="it takes longest")
    options = parser.parse_args()
    load_mnist(options.data, "train")  # checks the files
    dataset = MNIST(options.data)
    test_pixels, (_, test_labels) = (
        MNIST(options.data, train=False).data,
        load_mnist(options.data, "test"),
    )
    ways = [name for name in WAYS if not (options.skip_example and "example" in name)]
    runs = {name: [] for name in ways}
    for seed in range(options.seeds):
        for name in ways:
            train, normalize = WAYS[name]
            torch.manual_seed(seed)
            started = time.perf_counter()
            model = train(options.data, dataset.data, dataset.targets)
            seconds = time.perf_counter() - started
            predictions = predict(model, as_numbers(test_pixels, normalize)).argmax(dim=1)
            right = 100 * (predictions == test_labels).float().mean().item()
            runs[name].append((seconds, right))
            print(f"seed {seed}, {name}: {seconds:.1f} s, {right:.2f} %", flush=True)
    seconds = {
        name: sum(second for second, _ in pairs) / options.seeds for name, pairs in runs.items()
    }
    print("\n| way | seconds | test accuracy | times sooner |\n|---|---|---|---|")
    for name, pairs in runs.items():
        mean = sum(right for _, right in pairs) / options.seeds
        ratio = seconds[ways[0]] / seconds[name]
        print(f"| {name} | {seconds[name]:.1f} | {mean:.2f} % | {ratio:.1f}x |")
    machine = f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"\n{options.seeds} seeds, {machine}")


if __name__ == "__main__":
    main()
