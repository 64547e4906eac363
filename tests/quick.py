"""A network that reads most digits after two seconds of training, for tests that need one."""

from pathlib import Path

import torch

from mnist_helpers import CNN, fit, load_mnist, make_loader
from mnist_helpers.fast import make_fast

DATA = Path(__file__).parents[1] / "notebooks" / "data"


def train(seed=0, rate=0.01, steps=150):
    """Return a ``CNN`` that the fast recipe has trained for so many steps of 64 images."""
    torch.manual_seed(seed)
    images, labels = load_mnist(DATA, "train")
    loader = make_loader(images[: 64 * steps], labels[: 64 * steps], shuffle=True, seed=seed)
    model, optimizer, scheduler = make_fast(steps, rate)
    checked = make_loader(images[-100:], labels[-100:])
    criterion = torch.nn.CrossEntropyLoss()
    fit(model, loader, checked, criterion, optimizer, epochs=1, scheduler=scheduler)
    cnn = CNN()
    cnn.load_state_dict(model.state_dict())
    return cnn
