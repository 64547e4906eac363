"""Is this machine ready? Notebook 00 asks it last; in a terminal: python -m mnist_helpers.ready."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

# The oldest versions that are tested.
OLDEST = {"torch": "2.11", "torchvision": "0.26", "matplotlib": "3.10"}
OLDEST |= {"ipywidgets": "7.7", "anywidget": "0.9.21"}

# A few telling words of a message, and the section of 'If something goes wrong' with the cure.
SECTIONS = {
    "older than Python": "Python is too old",
    "No module named": "The wrong kernel",
    "No package metadata": "The wrong kernel",
    "torchvision::": "PyTorch and torchvision do not fit together",
    "too old": "A package is too old",
    "could not be downloaded": "The data cannot be downloaded",
    "cannot write": "The folder cannot be written",
    "memory": "Out of memory",
}


def as_numbers(version):
    """Return the first three numbers of a version, such as [2, 14, 1] of '2.14.1+cpu'."""
    return [int(part) for part in version.partition("+")[0].split(".")[:3] if part.isdigit()]


def check_python(folder):
    version = platform.python_version()
    if as_numbers(version) < [3, 11]:
        raise RuntimeError(f"{version} is older than Python 3.11: make a new environment")
    return f"Python {version}"


def check_packages(folder):
    found = []
    for name, oldest in OLDEST.items():
        version = importlib.metadata.version(name)
        if as_numbers(version) < as_numbers(oldest):
            raise RuntimeError(f"{version} of {name} is too old: at least {oldest} is needed")
        found.append(f"{name} {version}")
    return ", ".join(found)


def check_device(folder):
    import torch
    import torchvision  # noqa: F401  fails here if it was built for another torch

    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    threads = torch.get_num_threads()
    return f"computing on: {device.type}, with {threads} {'thread' if threads == 1 else 'threads'}"


def check_data(folder):
    from torchvision.datasets import MNIST

    from mnist_helpers.files import make_ready

    make_ready(folder)
    training, test = MNIST(folder, train=True), MNIST(folder, train=False)
    return f"MNIST is complete: {len(training):,} training images, {len(test):,} test images"


def check_disk(folder):
    free = shutil.disk_usage(Path(folder).resolve()).free / 1e9
    if free < 0.2:
        raise RuntimeError(f"only {free:.1f} GB are free on this disk: make room")
    return f"{free:.0f} GB free on this disk"


def check_learning(folder):
    """Train for a moment, so that what only fails while computing fails now."""
    import torch
    from torch import nn

    from mnist_helpers import CNN, accuracy_of, load_mnist, make_loader, train_one_epoch

    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    images, labels = load_mnist(folder, "validation")
    torch.manual_seed(0)
    model = CNN().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    loader = make_loader(images[:4000], labels[:4000])
    train_one_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    accuracy = accuracy_of(model, images[4000:], labels[4000:])
    if accuracy < 0.7:
        raise RuntimeError(f"a small training run reached only {accuracy:.0%}: restart, try again")
    return "a small training run works"


CHECKS = [check_python, check_packages, check_device, check_data, check_disk, check_learning]


def explain(problem):
    """Add to a message the section of 'If something goes wrong' that has the cure."""
    sections = [section for words, section in SECTIONS.items() if words in problem]
    return f"{problem}\n  The cure: docs/troubleshooting.md, {sections[0]}" if sections else problem


def check(folder="./data"):
    """Check this machine, print a line for each check, and at last 'Ready' or what to fix.

    Args:
        folder: where ``MNIST/raw`` is, or where it shall be downloaded to.

    Returns:
        list[str]: what to fix; empty when all is well.
    """
    folder = os.path.expanduser(folder)  # ~ is the home folder
    problems = []
    for one_check in CHECKS:
        try:
            print(one_check(folder))
        except Exception as error:
            problems.append(explain(f"{type(error).__name__}: {error}"))
    print("\n".join(["Fix this first:", *problems]) if problems else "Ready")
    return problems


if __name__ == "__main__":
    in_clone = Path(__file__).parents[1] / "notebooks" / "data"
    sys.exit(bool(check(in_clone if in_clone.exists() else "./data")))
