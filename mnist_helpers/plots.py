"""Figures that two notebooks or more draw.

Each function returns a matplotlib figure. It is closed for pyplot, so that a notebook shows it
once, as the value of its cell, and not a second time because it is open.

Importing this module sets the one style of the series: sans serif, 10 points or more, no frame
above and to the right, and twice the pixels in a notebook, for screens of high density and paper.
"""

import matplotlib.pyplot as plt
import torch
from IPython import get_ipython
from matplotlib_inline.backend_inline import set_matplotlib_formats

STYLE = {
    "figure.dpi": 96,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
plt.rcParams.update(STYLE)
if get_ipython() is not None:
    set_matplotlib_formats("retina")

# The same colour for the same thing in every figure.
SIGNED, AMOUNT = "RdBu_r", "viridis"  # colour maps: signed values around zero, and amounts
TRAINING, VALIDATION, TEST = "#0072B2", "#D55E00", "#009E73"

# One colour for each of the ten classes, the same in every figure (Paul Tol's 'muted', and black).
CLASS_COLORS = ["#332288", "#88CCEE", "#44AA99", "#117733", "#999933"]
CLASS_COLORS += ["#DDCC77", "#CC6677", "#882255", "#AA4499", "#000000"]


def show_images(images, titles=None, columns=8, cmap="gray", limits=None, size=1.0):
    """Draw a grid of images.

    Args:
        images: a tensor of shape (N, 28, 28) or (N, 1, 28, 28), any height and width.
        titles: if given, N strings.
        limits: (lowest, highest) value of the colour map; by default each image has its own.
        size: of one image, in inches.
    """
    images = images.detach().cpu().reshape(len(images), *images.shape[-2:])
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = size * rows * (1.25 if titles is not None else 1.05)
    figure, grid = plt.subplots(
        rows, columns, figsize=(size * columns, height), layout="constrained", squeeze=False
    )
    for index, axes in enumerate(grid.flat):
        axes.axis("off")
        if index < len(images):
            vmin, vmax = limits or (None, None)
            axes.imshow(images[index], cmap, vmin=vmin, vmax=vmax, interpolation="nearest")
            if titles is not None:
                axes.set_title(str(titles[index]), fontsize=9)
    plt.close(figure)
    return figure


def plot_history(history, smooth=100):
    """Draw the loss and the accuracy of a ``history`` made by ``fit``, against the steps taken.

    The training loss is averaged over ``smooth`` steps, or all of them if there are fewer.
    """
    figure, (loss_axes, accuracy_axes) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    smooth = max(1, min(smooth, len(history["train_loss"])))
    whole = len(history["train_loss"]) // smooth * smooth
    averages = torch.tensor(history["train_loss"][:whole]).reshape(-1, smooth).mean(dim=1)
    steps = history["validation_step"]
    loss_axes.plot(smooth * torch.arange(1, len(averages) + 1), averages, label="training")
    loss_axes.plot(steps, history["validation_loss"], "o--", label="validation")
    loss_axes.set(xlabel="step", ylabel="cross entropy", ylim=(0, None))
    loss_axes.legend()
    accuracy_axes.plot(steps, 100 * torch.tensor(history["validation_accuracy"]), "o--", color="C1")
    accuracy_axes.set(xlabel="step", ylabel="validation accuracy (%)")
    plt.close(figure)
    return figure
