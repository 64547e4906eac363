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


def join(device):
    """Return the number of this process, its rank, and how many train together: 0 and 1 if alone.

    Raises:
        ValueError: when there are more processes than devices of this kind.
    """
    if not dist.is_torchelastic_launched():
        return 0, 1
    if device.type != "cpu":
        take_own_device(device, int(os.environ["LOCAL_RANK"]))
    store, rank, workers = next(dist.rendezvous("env://"))
    # The engine keeps its store when it starts the workers anew: without a name for each start,
    # they might find each other's old addresses there, and wait for ever.
    store = dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store)
    dist.init_process_group(store=store, rank=rank, world_size=workers)
    return rank, workers


def take_own_device(device, number):
    """Let this process compute on the device of this number, which no other process uses."""
    count = torch.accelerator.device_count()
    if number >= count:
        raise ValueError(
            f"each process needs a {device.type} device of its own, but there are {count}: "
            f"start {count} processes, or train with --device cpu"
        )
    torch.accelerator.set_device_index(number)


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
