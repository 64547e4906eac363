"""What the notebooks share. Every name here is written out and explained in one of them."""

from mnist_helpers.checkpoints import load_checkpoint, save_checkpoint
from mnist_helpers.data import load_mnist, make_loader
from mnist_helpers.model import CNN, activations
from mnist_helpers.pictures import to_mnist
from mnist_helpers.training import accuracy_of, evaluate, fit, predict, train_one_epoch

__all__ = [
    "CNN",
    "accuracy_of",
    "activations",
    "evaluate",
    "fit",
    "load_checkpoint",
    "load_mnist",
    "make_loader",
    "predict",
    "save_checkpoint",
    "to_mnist",
    "train_one_epoch",
]
