"""What the notebooks share. Every name here is written out and explained in one of them."""

import os

# Threads of libgomp spin while they wait for work. When two programs train at the same time on two
# cores, 200 steps take 29 s in each, with this setting 4.5 s; a program on its own needs 1.4 s with
# and without. libgomp reads it once, when torch is imported: so it is set before that. (The OpenMP
# of macOS and of conda, LLVM's, knows no such setting.)
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

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
