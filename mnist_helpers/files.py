"""Files, checked before they are used and written whole or not at all. No lesson.

First what any file needs, then the files of MNIST, then checkpoints. In every path, ~ is home.
"""

import contextlib
import copy
import functools
import gzip
import hashlib
import http.client
import importlib.metadata
import io
import os
import pickle
import tempfile
import time
import urllib.request
import warnings
import zipfile
from pathlib import Path

import torch
from PIL import Image
from torch import nn
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


# Seconds that a source of MNIST gets: to say something, and for one whole file.
SILENCE_LIMIT = 20
FILE_LIMIT = 300

# What a checkpoint of another program calls the weights of the network in it.
NAMES_OF_WEIGHTS = ("model", "model_state_dict", "state_dict")
PICTURES = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def at_home(path):
    """Return a path in which ~ is the home folder, as a shell would have it."""
    return Path(os.path.expanduser(path))


def write_whole(path, content):
    """Write bytes to the file at ``path``: it is the old one until it is the whole new one.

    Raises:
        OSError: when that fails, on a full disk for example. Nothing is left of the new file.
    """
    path = at_home(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)  # in one go: a reader finds the old file or the new one
    except OSError as error:  # name the file that was wanted, and not the unfinished one
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if unfinished.exists():  # on a read-only disk, unlink would fail even without a file
            unfinished.unlink()


@contextlib.contextmanager
def written_together(folder):
    """Give a new folder to write files into; at the end they replace those in ``folder``.

    They do so when all of them have been written. If one cannot be, or if the program is stopped,
    ``folder`` is as it was.

    Raises:
        OSError: when a file cannot be written, on a full disk for example.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="unfinished", dir=folder) as unfinished:
            yield Path(unfinished)
            for path in sorted(Path(unfinished).iterdir()):
                path.replace(Path(folder, path.name))
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error


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
    found = Path(path).stat()
    return (
        "good" if has_sum(path, md5, found.st_size, found.st_mtime_ns, found.st_ino) else "damaged"
    )


@functools.cache
def has_sum(path, md5, size, changed, number):
    """Tell whether the file at ``path`` has this md5 sum; read it once as long as it is the same.

    That is: the same size, time of the last change, and number in its file system.
    """
    return check_integrity(path, md5)


def write_data(path, content):
    """Write a file of MNIST, and the folders above it; nobody ever finds half of it.

    Raises:
        OSError: when the folder cannot be written; names it and the cure.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise OSError(
            f"cannot write {path} ({error.strerror}): copy the folder of the data to a place "
            "that you may write to, and give load_mnist its path"
        ) from error


def examine(folder):
    """Yield for each packed file: its path, its md5 sum, its state, and that of the unpacked one.

    The states are those of ``file_state``.
    """
    for name, md5 in MNIST.resources:
        packed = Path(folder, "MNIST", "raw", name)
        unpacked = packed.with_suffix("")
        unpacked_state = file_state(unpacked, UNPACKED_MD5[unpacked.name])
        yield packed, md5, file_state(packed, md5), unpacked_state


def mend_files(folder):
    """Check the MNIST files in ``folder``, packed and unpacked; unpack again what is damaged.

    Returns:
        list[str]: the faults that are left, one line for each file pair. Empty when all is well.
    """
    faults = []
    for packed, _, packed_state, unpacked_state in examine(folder):
        if packed_state == "good" and unpacked_state != "good":
            write_data(packed.with_suffix(""), gzip.decompress(packed.read_bytes()))
        elif packed_state == "damaged" or unpacked_state != "good":
            faults.append(f"{packed} is {packed_state}; unpacked, it is {unpacked_state}")
    return faults


def repository_files():
    """Return the address of the data in this project's repository, which pyproject.toml names.

    Returns:
        list[str]: none if the package was copied and not installed.
    """
    try:
        metadata = importlib.metadata.metadata("mnist-helpers")
    except importlib.metadata.PackageNotFoundError:
        return []
    addresses = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL", []))
    return [f"{addresses['Repository']}/raw/main/notebooks/data/MNIST/raw/"]


def fetch(address, md5):
    """Return the file at ``address``, if it has this md5 sum.

    Raises:
        OSError: when it has another, or when no answer or not all of it comes in time.
        http.client.HTTPException: when the answer is none of a web server.
    """
    give_up = time.monotonic() + FILE_LIMIT
    request = urllib.request.Request(address, headers={"User-Agent": "mnist-helpers"})
    content = bytearray()
    with urllib.request.urlopen(request, timeout=SILENCE_LIMIT) as response:
        part = response.read1(2**16)  # what has come so far; read would wait for all of it
        while part:
            content += part
            if time.monotonic() > give_up:
                raise OSError(f"too slow: not the whole file in {FILE_LIMIT} seconds")
            part = response.read1(2**16)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise OSError("what came is damaged, or another file")
    return bytes(content)


def reason_of(error):
    """Return in words why ``fetch`` failed."""
    cause = getattr(error, "reason", error)  # urllib wraps what went wrong with the connection
    if isinstance(cause, TimeoutError):
        return f"no answer in {SILENCE_LIMIT} seconds"
    return str(cause if isinstance(cause, OSError) else error) or type(error).__name__


def download(folder):
    """Download the packed files that are needed, from the first source that gives them.

    Sources are torchvision's two mirrors and this project's repository. One that fails, or is
    silent for 20 seconds, or needs five minutes for a file, is not asked again.

    Returns:
        list[str]: why each source failed that was asked; files may be missing still.

    Raises:
        OSError: when the folder cannot be written; names it and the cure.
    """
    failures = []
    for source in [*MNIST.mirrors, *repository_files()]:
        for packed, md5, packed_state, unpacked_state in examine(folder):
            if "good" in (packed_state, unpacked_state):
                continue
            try:
                content = fetch(source + packed.name, md5)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{source}: {reason_of(error)}")
                break
            write_data(packed, content)
    return failures


def make_ready(folder):
    """Check the files of MNIST in ``folder``; unpack or download what is missing or damaged.

    Returns:
        Path: the folder, with the home folder in place of ~.

    Raises:
        OSError: when that does not help; names each file, its fault, what each source of a
            download said, and two cures.
    """
    folder = at_home(folder)
    if not mend_files(folder):
        return folder
    failures = download(folder)
    faults = mend_files(folder)
    if any("good" not in states for _, _, *states in examine(folder)):
        raise OSError(
            "MNIST is not complete and could not be downloaded:\n"
            + "\n".join(faults + failures)
            + "\nEither copy the four .gz files from the repository's notebooks/data/MNIST/raw"
            + f"\ninto {Path(folder, 'MNIST', 'raw').resolve()}"
            + " (in a clone: git checkout -- notebooks/data),"
            + "\nor run this again where there is a network: they are then downloaded."
        )
    for fault in faults:  # a packed file that is damaged, yet not needed any more
        warnings.warn(fault, stacklevel=3)
    return folder


# Checkpoints


def read_checkpoint(path):
    """Return what ``torch.save`` has written to ``path``: tensors, numbers, texts, lists and dicts.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is damaged, or could hold code: that is never run. Says which.
    """
    content = at_home(path).read_bytes()
    kind = kind_of_picture(content)
    if kind is not None:
        raise ValueError(f"{path} is a picture ({kind}), not a checkpoint")
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


def kind_of_picture(content):
    """Return the format of the picture in these bytes, such as 'PNG', or None if there is none."""
    try:
        return Image.open(io.BytesIO(content), formats=PICTURES).format
    except Image.DecompressionBombError:
        return "a very large one"
    except Exception:  # nearly anything, as ever with damaged pictures
        return None


def load_weights(path, model):
    """Put weights from a file into ``model``: those of a ``cnn.pt``, or those of a checkpoint.

    Raises:
        OSError, ValueError: as ``read_checkpoint`` does; ``ValueError`` also when there are no
            weights in it, or NaN, or those of another network. The model is then as it was.
    """
    weights = find_weights(path, read_checkpoint(path))
    check_part(path, "model", weights, model)
    model.load_state_dict(weights)


def find_weights(path, content):
    """Return the weights in a checkpoint by the names that the network's layers have.

    Other programs put them one level deeper, and a wrapper adds to each name: torch.compile
    ``_orig_mod.``, DataParallel and DistributedDataParallel ``module.``.

    Raises:
        ValueError: when there are no weights in it.
    """
    for name in NAMES_OF_WEIGHTS:
        if isinstance(content, dict) and name in content:
            content = content[name]
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no weights of a network: it is {describe(content)}")
    if not any(isinstance(value, torch.Tensor) for value in content.values()):
        names = ", ".join(str(name) for name in list(content)[:5]) or "nothing"
        raise ValueError(f"{path} holds no weights of a network: no tensors, but {names}")
    return {
        str(name).replace("_orig_mod.", "").removeprefix("module."): value
        for name, value in content.items()
    }


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
    if isinstance(part, nn.Module):
        check_numbers(path, saved, needed)


def check_numbers(path, saved, needed):
    """Raise ``ValueError`` when a saved weight is NaN or infinite, or would be in the model."""
    for name, values in needed.items():
        if not saved[name].to(values.dtype).isfinite().all():
            raise ValueError(f"{path} has NaN or infinity in {name}: its training went wrong")


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
