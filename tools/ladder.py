"""Climb the accuracy ladder, ten seeds a rung: make ladder.

From the third on, each rung changes one thing of the rung below. Their settings were chosen on the
5,000 validation images, with other seeds. What is measured goes to
mnist_helpers/results/ladder.csv, which notebook 13 shows; what is there already is not run again.
On two cores it takes about an hour; the rungs behind, --far, are for a GPU.
"""

import argparse
from dataclasses import replace

import torch
from experiments import circumstances, machine, missing, read_rows, rows_of, write_rows
from project import DATA, PACKAGE
from recipes import Deep, Recipe, Vary, load_data, train

from mnist_helpers import CNN, accuracy_of
from mnist_helpers.fast import FastCNN

FILE = PACKAGE / "results" / "ladder.csv"

lesson = Recipe(CNN, epochs=3, batch=64, rate=0.001, betas=(0.9, 0.999), constant=True)
fast = Recipe(FastCNN, epochs=3, batch=128, rate=0.01)
smoothed = replace(fast, smoothing=0.05)
six = replace(smoothed, epochs=6)
varied = replace(six, vary=Vary())
RUNGS = {
    "the lesson": lesson,
    "the fast recipe": fast,
    "smoothed labels": smoothed,
    "six epochs": six,
    "varied images": varied,
}
# On a processor these would take days.
thirty = Recipe(CNN, epochs=30, batch=256, rate=0.01, betas=(0.9, 0.99), vary=Vary())
deep = Recipe(
    Deep, epochs=15, batch=256, rate=0.01, betas=(0.9, 0.99), vary=Vary(bend=1), smoothing=0.1
)
ALL_RUNGS = RUNGS | {"thirty epochs": thirty, "a larger network": deep}


def measure(rung, seed, data):
    """Return {figure: value} of a rung: accuracies in percent, and the seconds of training.

    Args:
        data: {"train", "validation", "test": (images, labels)}; the first where to train.
    """
    model, seconds, _ = train(ALL_RUNGS[rung], *data["train"], seed)
    figures = {
        f"{part} accuracy": 100 * accuracy_of(model, *data[part]) for part in ("validation", "test")
    }
    return figures | {"seconds": seconds}


def place(device):
    """Return what the results were measured on: the GPU, or the processor."""
    return torch.cuda.get_device_name() if device.type == "cuda" else machine()


def climb(file, rungs, seeds, device):
    """Measure these rungs for the seeds 0, 1, …, and write the file after each."""
    data = load_data(DATA, device)
    rows = read_rows(file)
    where = circumstances(place(device))
    for seed, names in missing(rows, rungs, seeds):
        for rung in names:
            figures = measure(rung, seed, data)
            rows += rows_of(rung, seed, figures, where)
            write_rows(file, rows, ALL_RUNGS)
            accuracy, seconds = figures["test accuracy"], figures["seconds"]
            print(f"seed {seed}, {rung}: test {accuracy:.2f} %, {seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--far", action="store_true", help="measure the rungs behind, too")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    rungs = ALL_RUNGS if options.far else RUNGS
    climb(FILE, rungs, options.seeds, torch.device(options.device))


if __name__ == "__main__":
    main()
