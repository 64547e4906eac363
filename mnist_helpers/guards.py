"""What is done when a training goes wrong: NaN, the stop button, an odd result. No lesson.

So the loop in ``training.py`` can stay as plain as notebook 05 explains it.
"""

import contextlib
import copy
import math
import warnings

from torch.nn.utils import get_total_norm


def weights_of(model):
    """Return a copy of all weights, for ``check_finite`` to go back to."""
    return copy.deepcopy(model.state_dict())


def check_finite(loss, model, step=None, weights_before=None):
    """Raise ``FloatingPointError`` when the loss or a gradient is NaN or infinite.

    The largest of all absolute values is not finite when one of them is not: one number to wait
    for on a GPU, in place of one for each tensor.

    Args:
        step: if given, its number is said.
        weights_before: if given, the model has these weights again when the error is raised.
    """
    numbers = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    numbers.append(loss.detach())
    largest = get_total_norm(numbers, norm_type=math.inf)
    if largest.isfinite():
        return
    if weights_before is not None:
        model.load_state_dict(weights_before)
    where = "" if step is None else f"step {step}: "
    what = f"the loss ({loss.item():.4g}) or a gradient is not finite"
    raise FloatingPointError(f"{where}{what}: lower the learning rate")


@contextlib.contextmanager
def guarded_epochs(epochs, history, scheduler=None):
    """Give the numbers of the next epochs; see to what happens when one of them is cut short.

    An interrupt ends the block with a warning. If it came before the epoch was recorded in
    ``history``, the scheduler is back at the start of that epoch, to do it again at its rates. A
    ``FloatingPointError`` is raised again with the number of the epoch.
    """
    first = len(history["validation_step"]) + 1
    epoch, schedule = first, None

    def numbers():
        nonlocal epoch, schedule
        for epoch in range(first, first + epochs):
            schedule = None if scheduler is None else copy.deepcopy(scheduler.state_dict())
            yield epoch

    try:
        yield numbers()
    except FloatingPointError as error:
        raise FloatingPointError(f"epoch {epoch}, {error}") from None
    except KeyboardInterrupt:
        if schedule is not None and len(history["validation_step"]) < epoch:
            go_back(scheduler, schedule)
        # The levels above: contextlib, fit, and who called it.
        warnings.warn(f"stopped in epoch {epoch}: the model keeps what it learned", stacklevel=4)


def go_back(scheduler, schedule):
    """Put a scheduler, and the rates of its optimiser, where it was."""
    scheduler.load_state_dict(schedule)
    groups = scheduler.optimizer.param_groups
    for group, rate in zip(groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate


def unlikely(live, results):
    """Return a line for each value measured live that lies too far from the committed ones.

    So far that chance does it less than once in a thousand runs of all these values, if the seeds
    are normally distributed: then an experiment is not the one whose results were committed.

    Args:
        live, results: {arm: {figure: tensor of shape (seeds,)}}, as ``run_arms`` and
            ``load_results`` return them.
    """
    from scipy.stats import t as student_t  # here: training need not wait a second for scipy

    pairs = [
        (f"{arm}, {figure}", value, results[arm][figure])
        for arm, figures in live.items()
        for figure, values in figures.items()
        for value in values.tolist()
    ]
    lines = []
    for name, value, committed in pairs:
        count, mean = len(committed), committed.mean().item()
        quantile = student_t.ppf(1 - 0.0005 / len(pairs), df=count - 1)
        spread = max(committed.std().item(), 1e-5 * abs(mean))  # counts do not spread
        reach = quantile * spread * math.sqrt(1 + 1 / count)
        if not abs(value - mean) <= reach:
            lines.append(f"{name}: {value:.4g}, but {mean:.4g} ± {reach:.2g} was to be expected")
    return lines
