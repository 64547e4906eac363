"""The training loop (notebook 05), ``predict`` and ``accuracy_of`` (06)."""

import torch

from mnist_helpers.guards import check_finite, guarded_epochs, weights_of

# What ``fit`` records: the loss of each step, and three numbers for each epoch.
HISTORY = ("train_loss", "validation_step", "validation_loss", "validation_accuracy")


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
    before = weights_of(model)
    for step, (images, labels) in enumerate(loader, start=1):
        loss = criterion(model(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        check_finite(loss, model, step, before)
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
    *,
    scheduler=None,
    after_step=None,
    after_epoch=None,
    history=None,
):
    """Train for ``epochs`` epochs, and evaluate on ``validation_loader`` after each.

    Args:
        epochs: how many to train now, also when there is a ``history``.
        scheduler: if given, ``scheduler.step()`` follows every optimiser step.
        after_step: if given, ``after_step(history)`` follows every step.
        after_epoch: if given, ``after_epoch(epoch, history)`` follows every evaluation; epochs
            count from 1. Training ends early when it returns something true.
        history: what an earlier call returned. It is continued, and epochs count on from it.

    Returns:
        dict[str, list]: 'train_loss' has one value a step (the mean over the batch);
        'validation_step' (steps taken by then), 'validation_loss' and 'validation_accuracy' have
        one value an epoch. An interrupt ends the training with a warning; what there is so far
        is returned. The scheduler is then back at the start of the epoch: to go on, train what is
        left with this history, beginning with that epoch.

    Raises:
        FloatingPointError: as ``train_one_epoch`` does, naming the epoch too.
    """
    if history is None:
        history = {name: [] for name in HISTORY}

    def record(loss):
        history["train_loss"].append(loss)
        if after_step is not None:
            after_step(history)

    with guarded_epochs(epochs, history, scheduler) as numbers:
        for epoch in numbers:
            train_one_epoch(model, train_loader, criterion, optimizer, scheduler, record)
            loss, accuracy = evaluate(model, validation_loader, criterion)
            history["validation_step"].append(len(history["train_loss"]))
            history["validation_loss"].append(loss)
            history["validation_accuracy"].append(accuracy)
            if after_epoch is not None and after_epoch(epoch, history):
                break
    return history


@torch.inference_mode()
def predict(model, images, batch_size=1000):
    """Return the logits, shape (N, 10) and on the CPU, for images of shape (N, 1, 28, 28)."""
    model.eval()
    device = next(model.parameters()).device
    return torch.cat([model(batch.to(device)).cpu() for batch in images.split(batch_size)])


def accuracy_of(model, images, labels):
    """Return the share of images, 0 to 1, whose largest logit is that of their label."""
    return (predict(model, images).argmax(dim=1) == labels).float().mean().item()
