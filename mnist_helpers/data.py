"""MNIST in memory and in batches (notebook 03)."""

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)
from torchvision.datasets import MNIST
from torchvision.transforms import v2

from mnist_helpers.files import make_ready


def load_mnist(folder="./data", split="train"):
    """Load one part of MNIST into memory, checked and normalised.

    Args:
        folder: where ``MNIST/raw`` is, or where it shall be downloaded to. ~ is the home folder.
        split: 'train' (the first 55,000 of the training images), 'validation' (the other 5,000)
            or 'test' (10,000).

    Returns:
        tuple[Tensor, Tensor]: images, float32 of shape (N, 1, 28, 28) in [-1, 1], and labels,
        int64 of shape (N,).

    Raises:
        ValueError: for another ``split``.
        OSError: when files are missing or damaged and cannot be mended, or when they cannot be
            unpacked because the folder is read-only. Each of three sources of a download is given
            up after 20 seconds of silence, or five minutes for one file.
    """
    parts = {
        "train": slice(0, 55_000),
        "validation": slice(55_000, 60_000),
        "test": slice(0, 10_000),
    }
    if split not in parts:
        raise ValueError(f"split must be 'train', 'validation' or 'test', but got {split!r}")
    folder = make_ready(folder)
    is_training = split != "test"
    dataset = MNIST(folder, train=is_training)
    normalize = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.5,), (0.5,))])
    part = parts[split]
    return normalize(dataset.data[part].unsqueeze(1)), dataset.targets[part]


def make_loader(images, labels, batch_size=64, shuffle=False, seed=0):
    """Return a ``DataLoader`` that takes whole batches of (images, labels) from memory.

    With ``shuffle`` a generator of its own draws a new order for every epoch: same seed, same
    order.
    """
    dataset = TensorDataset(images, labels)
    generator = torch.Generator().manual_seed(seed)
    sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
    batches = BatchSampler(sampler, batch_size, drop_last=False)
    return DataLoader(dataset, sampler=batches, batch_size=None)
