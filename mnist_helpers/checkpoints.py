"""Checkpoints: all that a training needs to go on as if it had never stopped (notebook 13)."""

import os
import pickle
from pathlib import Path

import torch


def save_checkpoint(path, history, **parts):
    """Write the state of a training to ``path``, whole or not at all.

    Args:
        history: what ``fit`` has recorded, and with it the number of epochs that are done.
        parts: by name, whatever has a ``state_dict``: model, optimizer, scheduler, sampler. The
            state of PyTorch's random numbers is added.
    """
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"history": history, "random": torch.get_rng_state()}
    state["epoch"] = len(history["validation_step"])
    unfinished = Path(path).with_suffix(f".{os.getpid()}")
    torch.save(state, unfinished)
    unfinished.replace(path)  # in one go: a reader finds the old file or the new one


def load_checkpoint(path, **parts):
    """Put what the file at ``path`` holds into ``parts``; return all of it.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the file is damaged, holds code, or belongs to other parts (another
            network, for example). The message says which.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path} holds more than numbers, perhaps code: not opened") from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}") from error
    try:
        for name, part in parts.items():
            part.load_state_dict(dict(state)[name])
        torch.set_rng_state(state["random"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint of this {name}: {error}") from error
    return state
