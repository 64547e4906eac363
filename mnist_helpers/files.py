"""The files of MNIST: checked, unpacked and, where that helps, fetched again. No lesson."""

import gzip
import os
import warnings
from pathlib import Path

from torchvision.datasets import MNIST
from torchvision.datasets.utils import check_integrity

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
        if unfinished.exists():  # on a read-only disk, unlink would fail even without a file
            unfinished.unlink()
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


def make_ready(folder):
    """Check the files of MNIST in ``folder``; unpack or download what is missing or damaged.

    Raises:
        OSError: when that does not help.
    """
    faults = mend_files(folder)
    if faults:
        download_again(folder, faults)
        for fault in mend_files(folder):  # a packed file that is damaged, yet not needed any more
            warnings.warn(fault, stacklevel=3)
