"""Train the recipe of notebook 05 with several seeds and print each test accuracy: make seeds."""

import argparse
import platform
import time

import torch
from torch import nn

from mnist_helpers import CNN, evaluate, fit, load_mnist, make_loader


def train_and_test(seed, train_data, validation_loader, test_loader):
    """Return the validation and the test accuracy of the recipe of notebook 05 with a seed."""
    images, labels = train_data
    torch.manual_seed(seed)
    model = CNN().to(memory_format=torch.channels_last)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    train_loader = make_loader(images, labels, batch_size=64, shuffle=True, seed=seed)
    history = fit(model, train_loader, validation_loader, criterion, optimizer, epochs=3)
    _, test_accuracy = evaluate(model, test_loader, criterion)
    return history["validation_accuracy"][-1], test_accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", default="notebooks/data")
    arguments = parser.parse_args()
    train_data = load_mnist(arguments.data, "train")
    validation_loader = make_loader(*load_mnist(arguments.data, "validation"), batch_size=1000)
    test_loader = make_loader(*load_mnist(arguments.data, "test"), batch_size=1000)
    accuracies = []
    for seed in range(arguments.seeds):
        started = time.perf_counter()
        validation, test = train_and_test(seed, train_data, validation_loader, test_loader)
        seconds = time.perf_counter() - started
        accuracies.append(test)
        print(
            f"seed {seed}: validation {validation:.2%}, test {test:.2%}, {seconds:.1f} s",
            flush=True,
        )
    mean = sum(accuracies) / len(accuracies)
    print(
        f"test accuracy: worst {min(accuracies):.2%}, mean {mean:.2%}, best {max(accuracies):.2%}"
    )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")


if __name__ == "__main__":
    main()
