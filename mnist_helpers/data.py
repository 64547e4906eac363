"""MNIST as tensors in memory, and batches of it. Notebook 03 explains every line."""

import gzip
import os
import warnings
from pathlib import Path

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)
from torchvision.datasets import MNIST
from torchvision.datasets.utils import check_integrity
from torchvision.transforms import v2

# torchvision knows the md5 sums of the packed files (MNIST.resources);
# these are the sums of what is in them.
UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def file_state(path, md5):
    """Return 'missing', 'damaged' or 'good': what the md5 sum says about the file at ``path``."""
    if not Path(path).exists():
        return "missing"
    return "good" if check_integrity(path, md5) else "damaged"


def unpack(packed, unpacked):
    """Unpack a gzip file, under another name first: nobody ever finds half of it.

    Raises:
        OSError: when the folder cannot be written; names it and the cure.
    """
    unfinished = packed.with_suffix(f".{os.getpid()}")
    try:
        unfinished.write_bytes(gzip.decompress(packed.read_bytes()))
        unfinished.replace(unpacked)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(
            f"cannot write {unpacked} ({error.strerror}): copy the folder of the data to a place "
            "that you may write to, and give load_mnist its path"
        ) from error


def mend_files(folder):
    """Check the MNIST files in ``folder``, packed and unpacked; unpack again what is damaged.

    Returns:
        list[str]: the faults that are left, one line for each file pair. Empty when all is well.
    """
    faults = []
    for name, packed_md5 in MNIST.resources:
        packed = Path(folder, "MNIST", "raw", name)
        unpacked = packed.with_suffix("")
        packed_state = file_state(packed, packed_md5)
        unpacked_state = file_state(unpacked, UNPACKED_MD5[unpacked.name])
        if packed_state == "good" and unpacked_state != "good":
            unpack(packed, unpacked)
        elif packed_state == "damaged" or unpacked_state != "good":
            faults.append(f"{packed} is {packed_state}; unpacked, it is {unpacked_state}")
    return faults


def download_again(folder, faults):
    """Let torchvision fetch the files that ``mend_files`` could not mend.

    Raises:
        OSError: when that fails too; names each file, its fault, and two cures.
    """
    raw = Path(folder, "MNIST", "raw")
    for name, md5 in UNPACKED_MD5.items():
        if file_state(raw / name, md5) == "damaged":
            (raw / name).unlink()  # torchvision downloads only what is not there
    try:
        MNIST(folder, download=True)
    except (OSError, RuntimeError) as error:
        raise OSError(
            "MNIST is not complete and could not be downloaded:\n"
            + "\n".join(faults)
            + "\nEither copy the four .gz files from the repository's notebooks/data/MNIST/raw"
            + f"\ninto {raw.resolve()} (in a clone: git checkout -- notebooks/data),"
            + "\nor run this again where there is a network: they are then downloaded."
        ) from error


def load_mnist(folder="./data", split="train"):
    """Load one part of MNIST into memory, checked and normalised.

    Args:
        folder: where ``MNIST/raw`` is, or where it shall be downloaded to.
        split: 'train' (the first 55,000 of the training images), 'validation' (the other 5,000)
            or 'test' (10,000).

    Returns:
        tuple[Tensor, Tensor]: images, float32 of shape (N, 1, 28, 28) in [-1, 1], and labels,
        int64 of shape (N,).

    Raises:
        ValueError: for another ``split``.
        OSError: when files are missing or damaged and cannot be mended, or when they cannot be
            unpacked because the folder is read-only.
    """
    parts = {
        "train": slice(0, 55_000),
        "validation": slice(55_000, 60_000),
        "test": slice(0, 10_000),
    }
    if split not in parts:
        raise ValueError(f"split must be 'train', 'validation' or 'test', but got {split!r}")
    faults = mend_files(folder)
    if faults:
        download_again(folder, faults)
        for fault in mend_files(folder):  # a packed file that is damaged, yet not needed any more
            warnings.warn(fault, stacklevel=2)
    dataset = MNIST(folder, train=split != "test")
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
