"""The training loop (notebook 05), ``predict`` (06) and the fast recipe (13)."""

import copy
import time
import warnings

import torch
from torch.optim.lr_scheduler import OneCycleLR

from mnist_helpers.model import FastCNN

# What ``fit`` records: the loss of each step, and three numbers for each epoch.
HISTORY = ("train_loss", "validation_step", "validation_loss", "validation_accuracy")


def check_finite(loss, model):
    """Raise ``FloatingPointError`` when the loss or a gradient is NaN or infinite."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    if not all(torch.isfinite(tensor).all() for tensor in [loss, *gradients]):
        raise FloatingPointError(f"the loss ({loss.item():.4g}) or a gradient is not finite")


def train_one_epoch(model, loader, criterion, optimizer, scheduler=None, after_step=None):
    """Take one optimiser step for every batch of ``loader``.

    Args:
        scheduler: if given, ``scheduler.step()`` follows every step.
        after_step: if given, ``after_step(loss)`` follows every step, with the batch's mean loss.

    Raises:
        FloatingPointError: when the loss or a gradient is not finite. That step is not taken, and
            the model has the weights from before the epoch again.
    """
    model.train()
    device = next(model.parameters()).device
    weights_before = copy.deepcopy(model.state_dict())
    for step, (images, labels) in enumerate(loader, start=1):
        loss = criterion(model(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        try:
            check_finite(loss, model)
        except FloatingPointError as error:
            model.load_state_dict(weights_before)
            raise FloatingPointError(f"step {step}: {error}: lower the learning rate") from None
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if after_step is not None:
            after_step(loss.item())


@torch.inference_mode()
def evaluate(model, loader, criterion):
    """Return the mean loss per example and the accuracy (0 to 1) over all batches of ``loader``."""
    model.eval()
    device = next(model.parameters()).device
    total_loss, correct, count = 0.0, 0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        logits = model(images)
        total_loss += criterion(logits, labels).item() * len(labels)
        correct += (logits.argmax(dim=1) == labels).sum().item()
        count += len(labels)
    return total_loss / count, correct / count


def fit(
    model,
    train_loader,
    validation_loader,
    criterion,
    optimizer,
    epochs,
    scheduler=None,
    after_step=None,
    after_epoch=None,
    history=None,
):
    """Train for ``epochs`` epochs, and evaluate on ``validation_loader`` after each.

    Args:
        scheduler: if given, ``scheduler.step()`` follows every optimiser step.
        after_step: if given, ``after_step(history)`` follows every step.
        after_epoch: if given, ``after_epoch(epoch, history)`` follows every evaluation; epochs
            count from 1. Training ends early when it returns something true.
        history: what an earlier call returned, to go on until there are ``epochs`` in all.

    Returns:
        dict[str, list]: 'train_loss' has one value a step (the mean over the batch);
        'validation_step' (steps taken by then), 'validation_loss' and 'validation_accuracy' have
        one value an epoch. An interrupt ends the training with a warning; what there is so far
        is returned.

    Raises:
        FloatingPointError: as ``train_one_epoch`` does, naming the epoch too.
    """
    history = history or {name: [] for name in HISTORY}

    def record(loss):
        history["train_loss"].append(loss)
        if after_step is not None:
            after_step(history)

    try:
        for epoch in range(len(history["validation_step"]) + 1, epochs + 1):
            train_one_epoch(model, train_loader, criterion, optimizer, scheduler, record)
            loss, accuracy = evaluate(model, validation_loader, criterion)
            history["validation_step"].append(len(history["train_loss"]))
            history["validation_loss"].append(loss)
            history["validation_accuracy"].append(accuracy)
            if after_epoch is not None and after_epoch(epoch, history):
                break
    except FloatingPointError as error:
        raise FloatingPointError(f"epoch {epoch}, {error}") from None
    except KeyboardInterrupt:
        warnings.warn(f"stopped in epoch {epoch}: the model keeps what it learned", stacklevel=2)
    return history


@torch.inference_mode()
def predict(model, images, batch_size=1000):
    """Return the logits, shape (N, 10) and on the CPU, for images of shape (N, 1, 28, 28)."""
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(batch.to(device)).cpu() for batch in images.split(batch_size)])


def make_fast(steps, lr=0.01, device="cpu"):
    """Return the model, the optimizer and the scheduler of the fast recipe.

    Args:
        steps: of the whole training. The learning rate rises to ``lr`` in the first fifth of
            them, then falls to a hundredth of that, both along a straight line.
    """
    model = FastCNN().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.7, 0.9), fused=True)
    shape = {"pct_start": 0.2, "anneal_strategy": "linear", "final_div_factor": 4}
    shape |= {"total_steps": max(steps, 10), "cycle_momentum": False}  # a cycle needs some steps
    return model, optimizer, OneCycleLR(optimizer, lr, **shape)


def bf16_is_fast(device):
    """Tell whether this device multiplies clearly faster in bfloat16, by timing one product."""
    seconds = []
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(1024, 1024, dtype=dtype, device=device)
        (matrix @ matrix)[0, 0].item()  # the first product sets things up
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # .item() waits for a GPU
        seconds.append(time.perf_counter() - started)
    return 1.5 * seconds[1] < seconds[0]
