"""Training in several processes, each with its share of every batch (notebook 13 explains it).

``python -m torch.distributed.run`` starts them. A process that was started alone is the first of
one, and trains as any other program does. No lesson.
"""

import os
import time

import torch
from torch import distributed as dist
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler


def is_alone():
    """Return whether this process was started alone, not by ``torch.distributed.run``."""
    return not dist.is_torchelastic_launched()


def join(device):
    """Return the number of this process, its rank, and how many train together: 0 and 1 if alone.

    Where there are more processes than devices, they share these.
    """
    if is_alone():
        return 0, 1
    backend = "gloo"
    if device.type != "cpu":
        number, processes = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        backend = take_device(device, number, processes)
    store, rank, workers = next(dist.rendezvous("env://"))
    # The engine keeps its store when it starts the workers anew: without a name for each start,
    # they might find each other's old addresses there, and wait for ever.
    store = dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=workers)
    return rank, workers


def take_device(device, number, processes):
    """Let the process of this number compute on a device of its own, or share one if there are few.

    Returns:
        the backend through which so many processes can talk: gloo for those that share, since
        NCCL refuses two processes on one GPU; else gloo for what is on the CPU (the losses), and
        that of the device, such as NCCL, for the gradients.
    """
    devices = torch.accelerator.device_count()
    torch.accelerator.set_device_index(number % devices)
    if processes > devices:
        return "gloo"
    return f"cpu:gloo,{device.type}:{dist.get_default_backend_for_device(device)}"


def share_batches(dataset, batch_size, seed, rank, workers):
    """Return a loader of this process's share of every batch, and the sampler that shuffles.

    Raises:
        ValueError: when the processes cannot have equal shares of a batch.
    """
    if batch_size % workers != 0:
        raise ValueError(f"--batch-size {batch_size} cannot be shared by {workers}")
    order = DistributedSampler(dataset, num_replicas=workers, rank=rank, seed=seed)
    batches = BatchSampler(order, batch_size // workers, drop_last=False)
    return DataLoader(dataset, sampler=batches, batch_size=None), order


def synchronized(model):
    """Return the model, wrapped where several processes train, so that they share gradients."""
    return nn.parallel.DistributedDataParallel(model) if dist.is_initialized() else model


def average_last(losses, steps):
    """Replace the last losses by their means over all processes: the losses of whole batches."""
    if dist.is_initialized():
        latest = torch.tensor(losses[-steps:])
        dist.all_reduce(latest)
        losses[-steps:] = (latest / dist.get_world_size()).tolist()


def leave():
    """End what ``join`` began."""
    if dist.is_initialized():
        dist.destroy_process_group()
        time.sleep(0.5)  # else gloo's threads may still run at the exit, which aborts the process
