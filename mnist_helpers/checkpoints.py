"""Checkpoints: all that a training needs to go on as if it had never stopped (notebook 13)."""

import torch

from mnist_helpers.files import check_checkpoint, read_checkpoint, save_whole


def save_checkpoint(path, history, **parts):
    """Write the state of a training to ``path``, whole or not at all.

    Args:
        history: what ``fit`` has recorded, and with it the number of epochs that are done.
        parts: by name, whatever has a ``state_dict``: model, optimizer, scheduler, sampler. The
            state of PyTorch's random numbers is added.

    Raises:
        OSError: when the file cannot be written. An older one at ``path`` is as it was.
    """
    state = {name: part.state_dict() for name, part in parts.items()}
    state["history"] = history
    state["epoch"] = len(history["validation_step"])
    state["random"] = torch.get_rng_state()
    save_whole(state, path)  # under another name first, and renamed when all of it is there


def load_checkpoint(path, **parts):
    """Put what the file at ``path`` holds into ``parts``; return all of it.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the file is damaged, could hold code, lacks something, or belongs to other
            parts (another network, for example). The message says which, and nothing has changed.
    """
    state = read_checkpoint(path)  # damaged, or more than numbers: refused
    check_checkpoint(path, state, parts)  # of other parts, or not complete: refused
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return state
