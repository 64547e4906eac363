"""Figures that two notebooks or more draw.

Each function returns a matplotlib figure. It is closed for pyplot, so that a notebook shows it
once, as the value of its cell, and not a second time because it is open.

Importing this module sets the one style of the series: sans serif, 10 points or more, no frame
above and to the right, and twice the pixels in a notebook, for screens of high density and paper.
"""

import matplotlib.pyplot as plt
import torch
from IPython import get_ipython
from matplotlib.colors import Normalize
from matplotlib.patches import ConnectionPatch, Rectangle
from matplotlib_inline.backend_inline import set_matplotlib_formats

from mnist_helpers.claims import interval
from mnist_helpers.model import activations

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
MARK = "#D55E00"  # a window, a box, the answer: what to look at

# One colour for each of the ten classes, the same in every figure (Paul Tol's 'muted', and black).
CLASS_COLORS = ["#332288", "#88CCEE", "#44AA99", "#117733", "#999933"]
CLASS_COLORS += ["#DDCC77", "#CC6677", "#882255", "#AA4499", "#000000"]


def show_images(images, titles=None, columns=8, cmap="gray", limits=None, size=1.0, bar=None):
    """Draw a grid of images.

    Args:
        images: a tensor of shape (N, 28, 28) or (N, 1, 28, 28), any height and width.
        titles: if given, N strings.
        limits: (lowest, highest) value of the colour map; by default each image has its own.
        size: of one image, in inches.
        bar: whether to draw a colour bar; by default where ``limits`` are given and the colours
            are not shades of grey.
    """
    images = images.detach().cpu().reshape(len(images), *images.shape[-2:])
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    bar = limits is not None and cmap != "gray" if bar is None else bar
    height = size * rows * 1.05 + (0.25 * rows if titles is not None else 0)
    figure, grid = plt.subplots(
        rows, columns, figsize=(size * columns + 0.6 * bar, height), squeeze=False
    )
    vmin, vmax = limits or (None, None)
    for index, axes in enumerate(grid.flat):
        axes.axis("off")
        if index < len(images):
            drawn = axes.imshow(images[index], cmap, vmin=vmin, vmax=vmax, interpolation="nearest")
            if titles is not None:
                axes.set_title(str(titles[index]), fontsize=10, loc="center")
    if bar:
        figure.colorbar(drawn, ax=grid, aspect=15 * rows, shrink=0.9)
    plt.close(figure)
    return figure


def show_numbers(grids, titles=None, signs=None, cmap="gray", limits=None, decimals=0, size=0.45):
    """Draw small grids of numbers side by side: each number in a square of its colour.

    Args:
        grids: tensors of shape (rows, columns), or single numbers.
        titles: if given, a string for each grid.
        signs: if given, what stands between neighbours, such as ["×", "="].
        cmap: one colour map for all grids, or a list with one for each.
        limits: (lowest, highest) value of the colour map, or a list with one pair for each grid;
            by default those of all the numbers, or of each grid where each has a colour map.
        decimals: how many to print.
        size: of one square, in inches.
    """
    grids = [torch.as_tensor(grid).detach().cpu().float() for grid in grids]
    grids = [grid if grid.dim() == 2 else grid.reshape(1, 1) for grid in grids]
    cmaps = [cmap] * len(grids) if isinstance(cmap, str) else cmap
    if limits is None and isinstance(cmap, str):
        everything = torch.cat([grid.flatten() for grid in grids])
        limits = everything.min().item(), everything.max().item()
    elif limits is None:
        limits = [own_limits(grid, colors) for grid, colors in zip(grids, cmaps, strict=True)]
    pairs = limits if isinstance(limits, list) else [limits] * len(grids)
    scales = [Normalize(lowest, highest, clip=True) for lowest, highest in pairs]
    gap, tallest = 1.1, max(len(grid) for grid in grids)
    width = sum(grid.shape[1] for grid in grids) + gap * (len(grids) - 1)
    head = 0.9 if titles is not None else 0.1
    figure, axes = plt.subplots(figsize=(size * width + 0.1, size * (tallest + head)))
    axes.set(xlim=(-0.05, width + 0.05), ylim=(tallest + 0.05, -head), aspect="equal")
    axes.axis("off")
    left = 0
    for index, grid in enumerate(grids):
        top = (tallest - len(grid)) / 2
        for row, values in enumerate(grid.tolist()):
            for column, value in enumerate(values):
                color = plt.get_cmap(cmaps[index])(scales[index](value))
                square = Rectangle((left + column, top + row), 1, 1, fc=color, ec="0.6", lw=0.8)
                axes.add_patch(square)
                brightness = 0.3 * color[0] + 0.6 * color[1] + 0.1 * color[2]
                axes.text(
                    left + column + 0.5,
                    top + row + 0.5,
                    f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−"),
                    color="black" if brightness > 0.5 else "white",
                    ha="center",
                    va="center",
                )
        middle = left + grid.shape[1] / 2
        if titles is not None:
            axes.text(middle, top - 0.2, titles[index], ha="center", va="bottom", fontsize=11)
        left += grid.shape[1]
        if signs is not None and index < len(signs):
            axes.text(left + gap / 2, tallest / 2, signs[index], ha="center", va="center", size=16)
        left += gap
    plt.close(figure)
    return figure


def own_limits(grid, cmap):
    """Return the lowest and the highest number; with zero in the middle where the sign counts."""
    most = grid.abs().max().item()
    return (-most, most) if cmap == SIGNED else (grid.min().item(), grid.max().item())


def show_window(image, feature_map, places, size=2.0):
    """Draw a filter on its way over an image: a column of two pictures for each place.

    Above is the image with the window, below the map as far as it is filled then; grey is not
    filled yet.

    Args:
        image: of shape (height, width).
        feature_map: what the filter makes of it, one number for each place of the window.
        places: list of (row, column) of the window's upper left pixel, in the order it goes.
        size: width of one frame, in inches.
    """
    image, feature_map = image.detach().cpu(), feature_map.detach().cpu()
    kernel = image.shape[0] - feature_map.shape[0] + 1
    limit = feature_map.abs().max().item()
    figure, grid = plt.subplots(2, len(places), figsize=(size * len(places) + 0.6, 2 * size + 0.4))
    for (row, column), (above, below) in zip(places, grid.T, strict=True):
        above.imshow(image, "gray", interpolation="nearest")
        so_far = torch.full_like(feature_map, float("nan"))
        filled = row * feature_map.shape[1] + column + 1
        so_far.view(-1)[:filled] = feature_map.flatten()[:filled]
        below.set_facecolor("0.72")
        drawn = below.imshow(so_far, SIGNED, vmin=-limit, vmax=limit, interpolation="nearest")
        for axes, width in ((above, kernel), (below, 1)):
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, width, width, fill=False, ec=MARK, lw=2.5))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        middle = column + (kernel - 1) / 2, row + kernel - 0.5
        link = ConnectionPatch(
            middle, (column, row - 0.5), "data", "data", axesA=above, axesB=below, color=MARK
        )
        figure.add_artist(link)
        above.set_title(f"row {row}, column {column}", fontsize=10, loc="center")
        value = f"{feature_map[row, column]:.1f}".replace("-", "−")
        below.set_xlabel(f"sum: {value}", fontsize=11)
    figure.colorbar(drawn, ax=grid[1], aspect=15)
    plt.close(figure)
    return figure


def show_boxes(image, boxes, titles, size=2.2):
    """Draw an image once for each box, with the box on it.

    Args:
        image: of shape (height, width).
        boxes: list of (row, column, height, width) in pixels.
        titles: a string for each box.
        size: of one image, in inches.
    """
    figure, grid = plt.subplots(
        1, len(boxes), figsize=(size * len(boxes), size + 0.3), squeeze=False
    )
    for (row, column, height, width), title, axes in zip(boxes, titles, grid[0], strict=True):
        axes.imshow(image.detach().cpu(), "gray", interpolation="nearest")
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, width, height, fill=False, ec=MARK, lw=2.5))
        axes.set_title(title, fontsize=10, loc="center")
        axes.axis("off")
    plt.close(figure)
    return figure


def show_channels(maps, kernels, row, column, bias=0.0):
    """Draw how one number comes from many maps: a patch of each, times a kernel of each, all added.

    Args:
        maps: what goes in, of shape (channels, height, width).
        kernels: one filter, of shape (channels, size, size).
        row, column: of the upper left number of the patch.
        bias: what is added in the end.
    """
    maps, kernels = maps.detach().cpu(), kernels.detach().cpu()
    channels, size = kernels.shape[:2]
    patches = maps[:, row : row + size, column : column + size]
    sums = (patches * kernels).sum(dim=(1, 2))
    most, strongest, largest = maps.max(), kernels.abs().max(), sums.abs().max()
    in_row = min(8, channels)
    blocks = -(-channels // in_row)
    figure, grid = plt.subplots(
        3 * blocks,
        in_row,
        figsize=(1.1 * in_row + 1.2, 3.1 * blocks + 0.4),
        squeeze=False,
        height_ratios=[1, 1, 0.6] * blocks,
    )
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for channel in range(channels):
        first = 3 * (channel // in_row)
        above, middle, below = grid[first : first + 3, channel % in_row]
        maps_drawn = above.imshow(maps[channel], AMOUNT, vmin=0, vmax=most, interpolation="nearest")
        corner = (column - 0.5, row - 0.5)
        for color, width in (("black", 4), ("white", 2)):  # seen on bright maps and on dark ones
            above.add_patch(Rectangle(corner, size, size, fill=False, ec=color, lw=width))
        above.set_title(str(channel), fontsize=10, loc="center", pad=2)
        kernels_drawn = middle.imshow(kernels[channel], SIGNED, vmin=-strongest, vmax=strongest)
        square = sums[channel].reshape(1, 1)
        # It says its number, so it needs no bar.
        below.imshow(square, SIGNED, vmin=-largest, vmax=largest, extent=(-1, 1, -0.5, 0.5))
        dark = sums[channel].abs() > 0.6 * largest
        text = f"{round(sums[channel].item(), 2) + 0.0:.2f}".replace("-", "−")
        below.text(0, 0, text, ha="center", va="center", color="white" if dark else "black")
    for first in range(0, 3 * blocks, 3):
        rows = grid[first : first + 3]
        for axes, text in zip(rows[:, 0], ["map", "× kernel", "= sum"], strict=True):
            axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=11)
        for row_of_axes, drawn in zip(rows, [maps_drawn, kernels_drawn], strict=False):
            figure.colorbar(drawn, ax=row_of_axes, aspect=8, fraction=0.03, pad=0.01, shrink=0.9)
    total = f"{sums.sum():.2f} + {bias:.2f} = {sums.sum() + bias:.2f}".replace("-", "−")
    figure.supxlabel(f"all {channels} sums + bias:  {total.replace('+ −', '− ')}", fontsize=12)
    plt.close(figure)
    return figure


def show_pieces(images, brightest, spots, numbers):
    """Draw the pieces of digits that maps of ``relu2`` answer to most strongly: a row for each map.

    First comes a digit with the piece in a box, then the pieces of eight digits, enlarged. Grey
    lies outside of the picture.

    Args:
        images: of shape (N, 1, 28, 28), or more of them.
        brightest: the largest number in each map, of shape (N, 32).
        spots: where it is in the map of 14 × 14, row * 14 + column, of shape (N, 32).
        numbers: which of the 32 maps to draw.
    """
    figure, grid = plt.subplots(len(numbers), 9, figsize=(8, len(numbers)), squeeze=False)
    for number, (whole, *pieces) in zip(numbers, grid, strict=True):
        whole.set_ylabel(f"map {number}")
        best = brightest[:, number].topk(8).indices.tolist()
        for index, axes in zip([best[0], *best], [whole, *pieces], strict=True):
            axes.imshow(images[index, 0], "gray", interpolation="nearest")
            axes.set(xticks=[], yticks=[], facecolor="0.6")
            row, column = divmod(spots[index, number].item(), 14)
            # A number of the map depends on 8 × 8 pixels, which begin 3 before its own two. Pixel
            # 0 reaches from -0.5 to 0.5.
            left, top = 2 * column - 3.5, 2 * row - 3.5
            if axes is whole:
                axes.add_patch(Rectangle((left, top), 8, 8, fill=False, ec=MARK, lw=2))
            else:
                axes.set(xlim=(left, left + 8), ylim=(top + 8, top))
    figure.suptitle("A digit, and the eight pieces that the map answers to most strongly")
    plt.close(figure)
    return figure


# Where draw_network puts the maps of each layer: the middle of their left edge, how many stand in a
# row, and what happens on the way to them. The unit is a pixel of the digit: a 7 × 7 map is drawn
# a quarter as wide as a 28 × 28 map.
LAYOUT = {
    "conv1": (98, 58, 4, "16 filters\nof 3 × 3"),
    "relu1": (252, 58, 4, "negative\nto zero"),
    "pool1": (406, 58, 4, "largest\nof 2 × 2"),
    "conv2": (0, 213, 8, "32 filters, each looks at all 16 maps"),
    "relu2": (154, 213, 8, "negative\nto zero"),
    "pool2": (308, 213, 8, "largest\nof 2 × 2"),
}


def draw_network(model, image, counts=True):
    """Draw a ``CNN`` with an image flowing through it, layer by layer, from real activations.

    Maps are drawn to scale. Each layer has one scale of colours, which stands below its maps. The
    ten numbers in the end are logits: a bar to the left is a vote against the digit.

    Args:
        model: a ``CNN``, trained or not.
        image: of shape (28, 28), (1, 28, 28) or (1, 1, 28, 28).
        counts: whether to write the number of parameters below the layers that have any.
    """
    image = image.detach().reshape(1, 1, 28, 28).to(next(model.parameters()).device)
    with torch.no_grad():
        outputs = {name: output.cpu()[0] for name, output in activations(model, image).items()}
    figure, axes = plt.subplots(figsize=(10.2, 6.2))
    axes.imshow(image.cpu()[0, 0], "gray", extent=(0, 56, 86, 30), interpolation="nearest")
    label(axes, 28, 30, "the digit", "28 × 28 pixels")
    for name, (left, middle, columns, step) in LAYOUT.items():
        parameters = parameters_of(getattr(model, name)) if counts else 0
        draw_maps(axes, name, outputs[name], left, middle, columns, parameters)
        if name != "conv2":
            arrow(axes, [(left - 31, middle), (left - 2, middle)], step)
    arrow(axes, [(436.5, 105), (436.5, 145), (60, 145), (60, 160)], "")
    axes.text(310, 142, LAYOUT["conv2"][-1], ha="center", va="bottom")
    arrow(axes, [(376, 213), (406, 213)], "1,568\nnumbers")
    draw_logits(axes, outputs["fc"], parameters_of(model.fc) if counts else 0)
    axes.set(xlim=(-2, 497), ylim=(266, -24), aspect="equal")
    axes.axis("off")
    plt.close(figure)
    return figure


def parameters_of(layer):
    return sum(parameter.numel() for parameter in layer.parameters())


def label(axes, middle, top, name, shape):
    """Write the name of a layer, and below it the shape of what it makes."""
    axes.text(middle, top - 11, name, ha="center", va="bottom", weight="bold", fontsize=11)
    axes.text(middle, top - 1.5, shape, ha="center", va="bottom")


def arrow(axes, points, text):
    """Draw an arrow along the points, with a text above the longest level part of it."""
    *_, before, last = points
    axes.plot(*zip(*points, strict=True), color="0.4", lw=1.2, solid_joinstyle="miter")
    head = {"arrowstyle": "-|>", "color": "0.4", "lw": 1.2}
    axes.annotate("", last, before, arrowprops=head)
    (left, height), (right, _) = points[len(points) // 2 - 1 : len(points) // 2 + 1]
    axes.text((left + right) / 2, height - 3, text, ha="center", va="bottom", linespacing=1.1)


def draw_maps(axes, name, maps, left, middle, columns, parameters):
    """Draw the maps of one layer as a block, with their scale of colours below."""
    count, height, width = maps.shape
    rows = count // columns
    block = torch.full((rows * (height + 1) + 1, columns * (width + 1) + 1), float("nan"))
    for index, values in enumerate(maps):
        row, column = index // columns * (height + 1) + 1, index % columns * (width + 1) + 1
        block[row : row + height, column : column + width] = values
    limit = maps.abs().max().item()
    lowest = -limit if maps.min() < 0 else 0
    colors = plt.get_cmap(SIGNED if lowest else AMOUNT).with_extremes(bad="0.7")
    top, bottom = middle - block.shape[0] / 2, middle + block.shape[0] / 2
    extent = (left, left + block.shape[1], bottom, top)
    axes.imshow(block, colors, vmin=lowest, vmax=limit, extent=extent, interpolation="nearest")
    center = left + block.shape[1] / 2
    label(axes, center, top, name, f"{count} × {height} × {width}")
    ramp = (center - 15, center + 15, bottom + 8.5, bottom + 4.5)
    axes.imshow(torch.linspace(0, 1, 100)[None], colors, extent=ramp, aspect="auto")
    lowest_text = f"−{limit:.1f}" if lowest else "0"
    axes.text(center - 17, bottom + 6.2, lowest_text, ha="right", va="center")
    axes.text(center + 17, bottom + 6.2, f"{limit:.1f}", ha="left", va="center")
    if parameters:
        axes.text(center, bottom + 17, f"{parameters:,} parameters", ha="center", va="center")


def draw_logits(axes, logits, parameters):
    """Draw the ten numbers that come out, a bar and its number for each digit."""
    zero, top, step = 448, 178, 7
    largest = logits.abs().max().item()
    decimals = 1 if largest >= 1 else 2  # an untrained network gives small numbers
    for digit, value in enumerate(logits.tolist()):
        answer = digit == logits.argmax()
        middle = top + step * (digit + 0.5)
        bar = Rectangle((zero, middle - 2.5), 20 * value / largest, 5)
        bar.set_color(MARK if answer else "0.65")
        axes.add_patch(bar)
        style = {"weight": "bold", "color": MARK} if answer else {}
        axes.text(423, middle, digit, ha="right", va="center", **style)
        number = f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")
        axes.text(495, middle, number, ha="right", va="center", **style)
    axes.plot([zero, zero], [top, top + 10 * step], color="0.4", lw=0.8)
    label(axes, zero, top, "fc", "10 numbers")
    if parameters:
        axes.text(zero, 258, f"{parameters:,} parameters", ha="center", va="center")


def plot_history(history, smooth=100):
    """Draw the loss and the accuracy of a ``history`` made by ``fit``, against the steps taken.

    The training loss is averaged over ``smooth`` steps, or all of them if there are fewer.
    """
    figure, (loss_axes, accuracy_axes) = plt.subplots(1, 2, figsize=(9, 3))
    smooth = max(1, min(smooth, len(history["train_loss"])))
    whole = len(history["train_loss"]) // smooth * smooth
    averages = torch.tensor(history["train_loss"][:whole]).reshape(-1, smooth).mean(dim=1)
    steps = history["validation_step"]
    middles = smooth * (torch.arange(len(averages)) + 0.5)
    loss_axes.plot(middles, averages, color=TRAINING, label="training")
    style = {"color": VALIDATION, "markersize": 4}
    loss_axes.plot(steps, history["validation_loss"], "o--", label="validation", **style)
    loss_axes.set(xlabel="step", ylabel="cross entropy", title="Loss")
    loss_axes.set(xlim=(0, None), ylim=(0, None))
    loss_axes.legend()
    accuracy = 100 * torch.tensor(history["validation_accuracy"])
    accuracy_axes.plot(steps, accuracy, "o--", **style)
    lowest = min([90, *accuracy.tolist()]) // 10 * 10
    accuracy_axes.set(xlabel="step", ylabel="%", title="Accuracy on validation images")
    accuracy_axes.set(xlim=loss_axes.get_xlim(), ylim=(lowest, 100))
    plt.close(figure)
    return figure


def draw_differences(rows, label, *, now=None, matters=None, title=""):
    """Draw paired differences: a row for each name, a dot for each seed, and return the figure.

    Grey dots are the committed seeds, the bar is the 95 % interval of their mean; diamonds are the
    seeds that ran just now.

    Args:
        rows, now: {name: differences, of shape (seeds,)}; ``now`` may have fewer names.
        label: what is written below the axis, with its unit.
        matters: the difference that was fixed beforehand, drawn as a dotted line; negative for a
            loss that would matter.
        title: what to see.
    """
    drawing, axes = plt.subplots(figsize=(7, 0.9 + 0.42 * len(rows)))
    for row, (name, differences) in enumerate(rows.items()):
        mean, low, high = interval(differences)
        axes.plot([low, high], [row, row], color=TRAINING, lw=9, alpha=0.3, solid_capstyle="butt")
        axes.plot([mean, mean], [row - 0.25, row + 0.25], color=TRAINING, lw=2)
        places = torch.full_like(differences, row)
        axes.plot(differences, places, "o", color="0.4", markersize=4, alpha=0.7)
        if name in (now or {}):
            axes.plot(now[name], torch.full_like(now[name], row), "D", color=MARK, markersize=6)
    axes.axvline(0, color="black", lw=1)
    if matters is not None:
        axes.axvline(matters, color="0.3", lw=1, ls=":")
        at = {"xycoords": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        axes.annotate("what matters", (matters, 1.01), **at)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=label)
    axes.set_title(title, pad=20 if matters is not None else None)
    plt.close(drawing)
    return drawing


def draw_gains(
    results,
    live,
    arms,
    *,
    baseline="baseline",
    figure="accuracy",
    unit="points",
    matters=None,
    title="",
):
    """Draw what arms gain over a baseline, as ``draw_differences`` does, and return the figure.

    Args:
        results, live: as ``load_results`` and ``run_arms`` return them. ``live`` may have fewer
            arms.
        arms: their names, or {name: what to write in its row}.
        figure: which of the figures of an arm to draw.
        unit: of that figure.
        matters, title: as for ``draw_differences``.
    """
    labels = arms if isinstance(arms, dict) else {name: name for name in arms}
    rows = {
        text: results[name][figure] - results[baseline][figure] for name, text in labels.items()
    }
    now = {
        text: live[name][figure] - live[baseline][figure]
        for name, text in labels.items()
        if name in live and baseline in live
    }
    label = f"gain in {figure} ({unit})"
    return draw_differences(rows, label, now=now, matters=matters, title=title)
