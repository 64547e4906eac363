"""Pictures of a digit, made like MNIST's (notebook 12)."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torchvision.transforms import v2

from mnist_helpers.opening import open_picture


def to_pixels(picture):
    """Return a picture as float64 of shape (channels, H, W), from 0 to 255.

    Raises:
        ValueError: when it has another shape, type or range than ``to_mnist`` takes.
    """
    try:
        if not isinstance(picture, torch.Tensor):
            picture = torch.tensor(picture.copy() if hasattr(picture, "copy") else picture)
        pixels = picture.detach().cpu()
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"expected a picture, but got {type(picture).__name__}") from error
    if pixels.ndim == 2:
        pixels = pixels[None]
    elif pixels.ndim == 3 and len(pixels) not in (1, 3, 4):
        pixels = pixels.permute(2, 0, 1)
    if pixels.ndim != 3 or len(pixels) not in (1, 3, 4) or pixels.numel() == 0:
        raise ValueError(f"expected (H, W) or 1, 3 or 4 channels, but got {tuple(picture.shape)}")
    if pixels.dtype == torch.uint8:
        return pixels.double()
    if not pixels.is_floating_point():
        raise ValueError(f"expected uint8 (0 to 255) or float (0 to 1), but got {pixels.dtype}")
    if not ((pixels >= 0) & (pixels <= 1)).all():
        raise ValueError(f"float must go from 0 to 1, not {pixels.min():g} to {pixels.max():g}")
    return pixels.double() * 255


def to_grey(picture):
    """Return a picture of any kind that ``to_mnist`` takes as grey: float64 (H, W), 0 to 255."""
    if isinstance(picture, (str, Path, Image.Image)) or hasattr(picture, "read"):
        picture = v2.functional.pil_to_tensor(open_picture(picture))
    pixels = to_pixels(picture)
    color, opacity = pixels[:3], pixels[3:] / 255
    if len(opacity):  # lay light ink on black paper, and dark ink on white
        paper = 255 * ((color * opacity).mean() < 127.5 * opacity.mean())
        color = color * opacity + paper * (1 - opacity)
    return color[0] if len(color) == 1 else v2.functional.rgb_to_grayscale(color)[0]


def shrink(grey, most=400):
    """Average square blocks of pixels, so that no side has more than ``most``. Noise averages out.

    What is left over at the right and at the bottom is filled up with the last column and row.
    """
    block = math.ceil(max(grey.shape) / most)
    grey = np.pad(grey, [(0, -side % block) for side in grey.shape], mode="edge")
    rows, columns = (side // block for side in grey.shape)
    return grey.reshape(rows, block, columns, block).mean(axis=(1, 3))


def find_paper(grey):
    """Return the brightness of the paper under each pixel, of shape (H, W).

    In a drawing it is even: most pixels, and nearly all of the outermost, have one grey. What is
    smaller than 64 pixels is taken for a drawing.

    In a photograph it varies. In a copy of 48 pixels or fewer, each pixel becomes the median of a
    square around it. There is more paper than ink in each square, so the ink disappears, and the
    edges of shadows stay.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    even = np.median(border)
    same, same_at_border = (np.mean(np.abs(part - even) < 1.5) for part in (grey, border))
    if max(grey.shape) < 64 or (same > 0.5 and same_at_border > 0.9):
        return np.full(grey.shape, even)
    small = shrink(grey, 48)
    small = ndimage.median_filter(small, max(small.shape) // 5 * 2 + 1, mode="mirror")
    block = math.ceil(max(grey.shape) / 48)
    large = ndimage.zoom(small, block, order=1, mode="nearest", grid_mode=True)
    return large[: grey.shape[0], : grey.shape[1]]


def find_ink(grey):
    """Return how much darker than the paper each pixel is, as a share: 0 for paper, up to 1.

    Light ink on dark paper is inverted first: there is more that is lighter than the paper.
    """
    paper = find_paper(grey)
    difference = grey - paper
    if difference[difference > 12].sum() > -difference[difference < -12].sum():
        grey, paper = 255 - grey, 255 - paper
    # Beside the edge of a shadow, compare with the darker side.
    paper = ndimage.minimum_filter(paper, max(grey.shape) // 48 * 2 + 1)
    ink = np.clip((paper - grey) / np.maximum(paper, 1), 0, 1)
    if ink.max() < 0.1:
        raise ValueError("nothing drawn: no pixel differs from the paper by a tenth or more")
    return ink


def find_lines(ink, pieces=12):
    """Return how dark the ruled lines are that run from side to side, of the shape of ``ink``.

    A line is thin, and dark in most pieces of a row, out to both ends. It may lean by 3 %.
    """
    rows, columns = ink.shape
    width, thin = columns // pieces, int(0.015 * max(ink.shape))
    if width < 2 or thin < 1:
        return np.zeros(ink.shape)
    level = ndimage.maximum_filter1d(ink, 3, axis=0)[:, : pieces * width]
    level = np.median(level.reshape(rows, pieces, width), axis=2)
    steepest = round(0.03 * columns)
    leans = np.arange(-steepest, steepest + 1, 2)
    shifts = np.round(leans[:, None] * np.linspace(-0.5, 0.5, pieces)).astype(int)
    places = np.clip(np.arange(rows)[:, None] + shifts[:, None], 0, rows - 1)  # (leans, rows, pieces)
    leaning = level[places, np.arange(pieces)]
    line = np.minimum(np.median(leaning, axis=2), 2 * leaning[..., [0, -1]].min(axis=2))
    line = ndimage.white_tophat(line, (1, 2 * thin + 1))
    line[line < 0.03] = 0
    lines = np.zeros((rows, pieces))
    np.maximum.at(lines, (places, np.arange(pieces)), line[..., None])
    return np.pad(lines.repeat(width, axis=1), ((0, 0), (0, columns - pieces * width)), mode="edge")


def erase_lines(ink):
    """Take ruled lines for a part of the paper: first along the rows, then along the columns."""
    for _ in range(2):
        lines = find_lines(ink)
        ink = (np.clip((ink - lines) / np.maximum(1 - lines, 0.1), 0, 1)).T
    return ink


def find_parts(ink):
    """Return the connected parts: an array with the number of each, from 1, and their boxes."""
    numbers, _ = ndimage.label(ink > 0.2 * ink.max(), np.ones((3, 3)))
    boxes = [(r.start, c.start, r.stop, c.stop) for r, c in ndimage.find_objects(numbers)]
    return numbers, boxes


def contact(numbers, number):
    ring = np.concatenate([numbers[0], numbers[-1], numbers[1:-1, 0], numbers[1:-1, -1]])
    return (ring == number).sum()


def erase_surroundings(ink):
    """Erase what touches the edge of a photograph: the table, bars, lines"""
    if max(ink.shape) < 64:
        return ink
    longest = max(ink.shape)
    for _ in range(4):
        numbers, boxes = find_parts(ink)
        gone = []
        for number, (top, left, bottom, right) in enumerate(boxes, start=1):
            touch = contact(numbers, number)
            if not touch: continue
            long = max(bottom - top, right - left)
            area = (numbers == number).sum()
            if touch > 0.15 * longest or (touch and long > 0.5 * longest and area / long < 0.02 * longest):
                gone.append(number)
        if not gone:
            return ink
        ink = np.where(np.isin(numbers, gone), 0.0, ink)
        if ink.max() < 0.1:
            raise ValueError("nothing drawn within the edges: crop close to the digit")
    return ink


def gap(box, other):
    return max(box[0] - other[2], other[0] - box[2]), max(box[1] - other[3], other[1] - box[3])


def around(box, other):
    return (min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3]))


def longer(box):
    return max(box[2] - box[0], box[3] - box[1])


def pick_digit(ink):
    numbers, boxes = find_parts(ink)
    sums = np.bincount(numbers.ravel(), ink.ravel(), minlength=len(boxes) + 1)[1:]
    peaks = ndimage.maximum(ink, numbers, range(1, len(boxes) + 1))
    rest = [n for n in range(len(boxes)) if peaks[n] > 0.4 * ink.max()]
    main = max(rest, key=lambda n: sums[n])
    box, mine = boxes[main], [main]
    rest.remove(main)
    small = max(ink.shape) < 64
    if not small and contact(numbers, main + 1):
        raise ValueError("edge: the largest thing touches the edge")
    rest = [n for n in rest if longer(boxes[n]) > 0.06 * longer(box) or small]
    grown = True
    while grown:
        grown = False
        for n in list(rest):
            if max(gap(box, boxes[n])) <= 0.2 * longer(box) + small:
                grown = True
                rest.remove(n)
                mine.append(n)
                box = around(box, boxes[n])
    height = box[2] - box[0]
    others = [n for n in rest if longer(boxes[n]) > 0.3 * longer(box)]
    if others:
        raise ValueError(f"several: I see {len(others) + 1} things: crop to one digit")
    tall = [boxes[n] for n in mine if boxes[n][2] - boxes[n][0] > 0.6 * height]
    pairs = [(a, b) for a in tall for b in tall if gap(a, b)[1] > 0.08 * height]
    if pairs and box[3] - box[1] > 0.7 * height:
        raise ValueError("several: I see two: crop to one")
    keep = np.isin(numbers, np.array(mine) + 1)
    ink = np.where(keep, ink, 0.0)
    if keep.mean() > 0.6:
        raise ValueError("more ink than paper: crop the picture to one digit on plain paper")
    return torch.from_numpy(ink / ink.max())


def crop(ink):
    """Cut away the rows and columns around the ink that have none."""
    rows, columns = ink.any(dim=1).nonzero(), ink.any(dim=0).nonzero()
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def scale_to_20(ink):
    """Scale the longer side to 20 pixels, smoothly, and the other side with it.

    Raises:
        ValueError: when there is only a dot, less than 4 pixels high and wide.
    """
    longer = max(ink.shape)
    if longer < 4:
        raise ValueError(f"only a dot is drawn, {ink.shape[1]} by {ink.shape[0]} pixels")
    size = [max(1, round(20 * side / longer)) for side in ink.shape]
    ink = v2.functional.resize(ink[None], size, antialias=True)[0]
    return ink / ink.max()


def center(ink):
    """Put the centre of mass into the middle of 28 by 28 pixels, as near as whole pixels allow.

    The middle is the centre of the pixel in row 14 and column 14, counted from 0.
    """
    middle = torch.zeros(28, 28)
    corner = []
    for axis, side in enumerate(ink.shape):
        mass = ink.sum(dim=1 - axis)
        center_of_mass = (mass * torch.arange(side)).sum() / mass.sum()
        corner.append(min(max(round(14 - center_of_mass.item()), 0), 28 - side))
    middle[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]] = ink
    return middle


def to_mnist(picture):
    """Make of a picture of one digit what MNIST's makers would have made of it.

    Args:
        picture: a path, a file open for reading bytes, a PIL image, or an array or tensor of
            shape (H, W), (H, W, channels) or (channels, H, W). One channel is grey, three are
            RGB, four are RGB and opacity; uint8 goes from 0 to 255, floating point from 0 to 1.
            The ink may be dark on light or light on dark.

    Returns:
        Tensor: float32 of shape (1, 28, 28) in [-1, 1], white ink on black.

    Raises:
        ValueError: when it is no such picture, or nothing, only a dot, or far too much is drawn.
        FileNotFoundError: when there is no such file.

    Source: 20 by 20 pixels, centred by mass in 28 by 28, as described on MNIST's home page by
        LeCun, Cortes and Burges. That the middle is pixel 14 was measured on the test images.
    """
    ink = erase_surroundings(erase_lines(find_ink(shrink(to_grey(picture).numpy()))))
    ink = scale_to_20(crop(pick_digit(ink)))
    return 2 * center(ink)[None] - 1
