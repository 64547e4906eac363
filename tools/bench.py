"""Train MNIST in several ways, side by side, and compare seconds and accuracy: make bench.

The clock runs from bytes in memory to trained weights. The plain lesson transforms every picture
whenever a batch needs it; the fast recipe is that of notebook 13. The other two are networks and
recipes of other projects, written anew: the MNIST example of PyTorch (2 of its 14 epochs) and
train_mnist_fast (https://github.com/tuomaso/train_mnist_fast).
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

from mnist_helpers import CNN, accuracy_of, make_loader, train_one_epoch
from mnist_helpers.fast import bf16_is_fast, make_fast
from mnist_helpers.files import make_ready

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


def fast_recipe(pixels, labels, epochs):
    """Train with the recipe of notebook 13, for so many epochs."""
    images = as_numbers(pixels[:55_000], HALF)
    seed = torch.initial_seed()
    loader = make_loader(images, labels[:55_000], batch_size=128, shuffle=True, seed=seed)
    model, optimizer, scheduler = make_fast(epochs * len(loader))
    in_16_bits = bf16_is_fast("cpu")
    with torch.autocast("cpu", torch.bfloat16, enabled=in_16_bits, cache_enabled=False):
        for _ in range(epochs):
            train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer, scheduler)
    cnn = CNN().to(memory_format=torch.channels_last)
    cnn.load_state_dict(model.state_dict())
    return cnn


def fast_one_epoch(folder, pixels, labels):
    return fast_recipe(pixels, labels, epochs=1)


def fast_three_epochs(folder, pixels, labels):
    return fast_recipe(pixels, labels, epochs=3)


# name: (function that trains, how its network expects the images)
WAYS = {
    "plain lesson, 3 epochs": (plain_lesson, HALF),
    "fast recipe, 1 epoch": (fast_one_epoch, HALF),
    "fast recipe, 3 epochs": (fast_three_epochs, HALF),
    "train_mnist_fast": (train_mnist_fast, MEAN_AND_STD),
    "PyTorch's example, 2 epochs": (example, MEAN_AND_STD),
}


def processor():
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def measure(way, seed, folder):
    """Return the seconds from bytes to weights, and the accuracy on the test images in percent."""
    train, normalize = WAYS[way]
    train_set, test_set = MNIST(folder), MNIST(folder, train=False)
    torch.manual_seed(seed)
    started = time.perf_counter()
    model = train(folder, train_set.data, train_set.targets)
    seconds = time.perf_counter() - started
    return seconds, 100 * accuracy_of(model, as_numbers(test_set.data, normalize), test_set.targets)


def print_table(runs):
    """Print the means of each way's (seconds, accuracy), and how they compare with the first."""
    means = {way: torch.tensor(pairs).mean(dim=0).tolist() for way, pairs in runs.items()}
    first, _ = next(iter(means.values()))
    print("\n| way | seconds | test accuracy | times faster |\n|---|---|---|---|")
    for way, (seconds, accuracy) in means.items():
        print(f"| {way} | {seconds:.1f} | {accuracy:.2f} % | {first / seconds:.1f}x |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="notebooks/data")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--skip-example", action="store_true", help="it takes longest")
    options = parser.parse_args()
    make_ready(options.data)
    runs = {way: [] for way in WAYS}
    if options.skip_example:
        del runs["PyTorch's example, 2 epochs"]
    for seed in range(options.seeds):
        for way, pairs in runs.items():
            seconds, accuracy = measure(way, seed, options.data)
            pairs.append((seconds, accuracy))
            print(f"seed {seed}, {way}: {seconds:.1f} s, {accuracy:.2f} %", flush=True)
    print_table(runs)
    machine = f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"\n{options.seeds} seeds, {machine}")


if __name__ == "__main__":
    main()
