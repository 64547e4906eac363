"""Files, checked before they are used and written whole or not at all. No lesson.

First what any file needs, then the files of MNIST, then checkpoints.
"""

import copy
import gzip
import io
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import torch
from torchvision.datasets import MNIST
from torchvision.datasets.utils import check_integrity

from mnist_helpers.training import HISTORY

# torchvision knows the md5 sums of the packed files (MNIST.resources);
# these are the sums of what is in them.
UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def write_whole(path, content):
    """Write bytes to the file at ``path``: it is the old one until it is the whole new one.

    Raises:
        OSError: when that fails, on a full disk for example. Nothing is left of the new file.
    """
    unfinished = Path(path).with_name(f"{Path(path).name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)  # in one go: a reader finds the old file or the new one
    finally:
        if unfinished.exists():  # on a read-only disk, unlink would fail even without a file
            unfinished.unlink()


def save_whole(value, path):
    """Do what ``torch.save`` does, whole or not at all, as ``write_whole`` does."""
    content = io.BytesIO()
    torch.save(value, content)
    write_whole(path, content.getvalue())


# The files of MNIST


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
    try:
        write_whole(unpacked, gzip.decompress(packed.read_bytes()))
    except OSError as error:
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


# Checkpoints


def read_checkpoint(path):
    """Return what ``torch.save`` has written to ``path``: tensors, numbers, texts, lists and dicts.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is damaged, or could hold code: that is never run. Says which.
    """
    content = Path(path).read_bytes()
    if content.startswith(b"\x80"):  # the first byte of a pickle; torch.save writes a zip archive
        raise ValueError(f"{path} is a plain pickle, which could run code: not opened")
    try:
        damaged = zipfile.ZipFile(io.BytesIO(content)).testzip()
        if damaged is not None:  # torch.load does not compare the sums of what it reads
            raise zipfile.BadZipFile(f"{damaged} is not what was written")
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than numbers, perhaps code: not opened") from error
    except Exception as error:  # damaged files raise nearly anything
        raise ValueError(
            f"{path} is damaged or cut short, or torch.save did not write it"
        ) from error


def load_weights(path, model):
    """Put weights from a file into ``model``: those of a ``cnn.pt``, or those of a checkpoint.

    Raises:
        OSError, ValueError: as ``read_checkpoint`` does; ``ValueError`` also when the weights are
            those of another network. The model is then as it was.
    """
    weights = read_checkpoint(path)
    if isinstance(weights, dict) and "model" in weights:
        weights = weights["model"]
    check_part(path, "model", weights, model)
    model.load_state_dict(weights)


def check_checkpoint(path, state, parts):
    """Raise ``ValueError`` unless ``state`` has all that the ``parts`` of a training need to go on.

    The parts stay as they are. The message says what is missing, or different, and where.
    """
    if not isinstance(state, dict):
        raise ValueError(f"{path} is not a checkpoint of a training: it is {describe(state)}")
    missing = [name for name in (*parts, "history", "random") if name not in state]
    if missing:
        raise ValueError(f"{path} is not a checkpoint of a training: no {', '.join(missing)} in it")
    for name, part in parts.items():
        check_part(path, name, state[name], part)
    check_history(path, state["history"])
    try:
        torch.Generator().set_state(state["random"])
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{path} holds no state of the random numbers: {error}") from error


def check_part(path, name, saved, part):
    """Raise ``ValueError`` unless ``part.load_state_dict(saved)`` would put all in its place."""
    needed = needed_state(part, saved)
    if isinstance(saved, dict) and "features.0.weight" in saved and "conv1.weight" in needed:
        raise ValueError(
            f"{path} was written by version 0.1.0, and the layers have other names since 0.2.0 "
            "(features.0 is now conv1): train again"
        )
    try:
        check_alike(saved, needed)
    except ValueError as error:
        kind = type(part).__name__
        raise ValueError(f"{path} is not a checkpoint of this {name} ({kind}): {error}") from None


def needed_state(part, saved):
    """Return a ``state_dict`` that is built as one must be which ``part`` can load.

    An optimizer has nothing to remember before its first step, so a copy of it takes one. It may
    remember nothing of some parameters, those that are frozen: then ``saved`` decides.
    """
    if not isinstance(part, torch.optim.Optimizer):
        return part.state_dict()
    stepped = copy.deepcopy(part)
    for group in stepped.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    stepped.step()
    needed = stepped.state_dict()
    if isinstance(saved, dict) and isinstance(saved.get("state"), dict):
        needed["state"] = {
            number: values for number, values in needed["state"].items() if number in saved["state"]
        }
    return needed


def check_alike(saved, needed, place=""):
    """Raise ``ValueError`` where two values are built differently, though their numbers may differ.

    Alike are two numbers; two tensors of one shape, both or neither of them floating point; two
    lists or dicts of the same length and keys, if all that they hold is alike.
    """
    if describe(saved) != describe(needed):
        raise ValueError(f"{place or 'it'} should be {describe(needed)}, but is {describe(saved)}")
    if isinstance(needed, dict):
        for key in needed:
            if key not in saved:
                raise ValueError(f"{place or 'it'} lacks {key}")
            check_alike(saved[key], needed[key], f"{place} {key}".strip())
        for key in saved:
            if key not in needed:
                raise ValueError(f"{place or 'it'} has {key} too")
    elif isinstance(needed, (list, tuple)):
        if len(saved) != len(needed):
            raise ValueError(f"{place} should have {len(needed)} entries, but has {len(saved)}")
        for number, (one, other) in enumerate(zip(saved, needed, strict=True)):
            check_alike(one, other, f"{place} {number}".strip())


def describe(value):
    """Return in words how a value is built; alike, as far as one level goes, is what sounds so."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_meta:
            return "a tensor without a number in each place"
        numbers = "floating-point" if value.is_floating_point() else value.dtype
        return f"a tensor of shape {tuple(value.shape)} with {numbers} numbers"
    if isinstance(value, (bool, int, float)):
        return "a number"
    if isinstance(value, dict):
        return "a dict"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "nothing" if value is None else f"a {type(value).__name__}"


def check_history(path, history):
    """Raise ``ValueError`` unless ``history`` is one that ``fit`` can continue."""
    if not isinstance(history, dict) or set(history) != set(HISTORY):
        raise ValueError(f"{path} holds no history of fit, which has {', '.join(HISTORY)}")
    for name, values in history.items():
        if not isinstance(values, list) or any(describe(one) != "a number" for one in values):
            raise ValueError(f"{path} holds a history whose {name} is no list of numbers")
    if len({len(history[name]) for name in HISTORY[1:]}) > 1:
        raise ValueError(f"{path} holds a history with more epochs of one number than of another")
