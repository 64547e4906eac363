"""Compare a plain training script with the notebooks' way, side by side: make bench.

Both train the same network on the same 55,000 images, 3 epochs, batch 64, Adam at 0.001. The plain
way transforms every image whenever a batch needs it; the notebooks' way has them as tensors in
memory and puts the model into channels_last.
"""

import argparse
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from mnist_helpers import CNN, evaluate, fit, load_mnist, make_loader

EPOCHS, BATCH_SIZE, LR = 3, 64, 0.001
LIMIT = 0.7  # of the plain way's time


def plain_way(folder):
    """Train as a first lesson does, and return the model."""
    transform = v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5,), (0.5,))]
    )
    dataset = Subset(MNIST(folder, transform=transform), range(55_000))
    loader = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
    model = CNN()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    for _ in range(EPOCHS):
        for images, labels in loader:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def notebook_way(folder):
    """Train as notebook 05 does, validation after each epoch included, and return the model."""
    train_loader = make_loader(*load_mnist(folder, "train"), batch_size=BATCH_SIZE, shuffle=True)
    validation_loader = make_loader(*load_mnist(folder, "validation"), batch_size=1000)
    model = CNN().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    fit(model, train_loader, validation_loader, nn.CrossEntropyLoss(), optimizer, EPOCHS)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="notebooks/data")
    folder = parser.parse_args().data
    test_loader = make_loader(*load_mnist(folder, "test"), batch_size=1000)
    seconds = []
    print(f"{'way':10} {'seconds':>8} {'test accuracy':>14} {'ratio':>6}")
    for name, way in [("plain", plain_way), ("notebook", notebook_way)]:
        torch.manual_seed(0)
        started = time.perf_counter()
        model = way(folder)
        seconds.append(time.perf_counter() - started)
        accuracy = evaluate(model, test_loader, nn.CrossEntropyLoss())[1]
        ratio = seconds[-1] / seconds[0]
        print(f"{name:10} {seconds[-1]:8.1f} {accuracy:14.2%} {ratio:6.2f}", flush=True)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    if ratio > LIMIT:
        raise SystemExit(f"the notebooks' way took more than {LIMIT} of the plain way's time")


if __name__ == "__main__":
    main()
