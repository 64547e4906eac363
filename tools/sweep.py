"""Train a grid of settings in the small-data regime of notebook 08: make sweep.

One half of the grid varies the learning rate and the batch size, the other the kernel size, the
filters and the depth. Each setting is trained with several seeds, each on a thousand images of its
own, and judged on the validation images; the test images are never read. The seeds are not those
of the notebook, which draws what this command has written.
"""

import argparse
import csv
import itertools
from pathlib import Path

import torch
from project import DATA, PACKAGE
from torch import nn

from mnist_helpers import evaluate, load_mnist, make_loader, train_one_epoch

EPOCHS, IMAGES = 25, 1000
SEEDS = range(40, 45)
RESULTS = PACKAGE / "sweep.csv"
COLUMNS = ["learning_rate", "batch_size", "kernel_size", "filters", "depth"]


def settings():
    """Return the grid without repetitions: values in the order of ``COLUMNS``."""
    rates, batch_sizes = [0.0003, 0.001, 0.003, 0.01, 0.03], [16, 32, 64, 128, 256]
    recipes = itertools.product(rates, batch_sizes, [3], [16], [2])
    networks = itertools.product([0.002], [64], [3, 5, 7], [8, 16, 32], [1, 2, 3])
    return [*recipes, *networks]


def make_network(kernel_size, filters, depth):
    """Return a network of ``depth`` blocks; each block has twice the filters of the one before."""
    layers, channels, size = [], 1, 28
    for block in range(depth):
        layers += [
            nn.Conv2d(channels, filters * 2**block, kernel_size, padding=kernel_size // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        channels, size = filters * 2**block, size // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * size**2, 10))


def train(setting, seed, images, labels):
    """Return the network of a setting, trained on the thousand images of this seed."""
    learning_rate, batch_size, *network = setting
    torch.manual_seed(seed)
    model = make_network(*network).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    part = slice(seed * IMAGES, (seed + 1) * IMAGES)
    loader = make_loader(images[part], labels[part], batch_size, shuffle=True, seed=seed)
    for _ in range(EPOCHS):
        train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    train_data = load_mnist(arguments.data, "train")
    validation_loader = make_loader(*load_mnist(arguments.data, "validation"), batch_size=250)
    rows = []
    runs = list(itertools.product(settings(), SEEDS))
    for number, (setting, seed) in enumerate(runs, start=1):
        model = train(setting, seed, *train_data)
        _, accuracy = evaluate(model, validation_loader, nn.CrossEntropyLoss())
        rows.append([*setting, seed, f"{accuracy:.4f}"])
        print(f"{number} of {len(runs)}: {rows[-1]}", flush=True)
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [[*COLUMNS, "seed", "validation_accuracy"], *rows]
        )


if __name__ == "__main__":
    main()
