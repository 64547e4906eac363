"""Pictures of a digit, made like MNIST's (notebook 12)."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torchvision.transforms import v2

from mnist_helpers.opening import open_picture, to_pixels


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


def average_blocks(grey, most=400):
    """Average square blocks of pixels, so that no side has more than ``most``: less noise, too.

    The last column and row are repeated until the blocks are full.
    """
    block = math.ceil(max(grey.shape) / most)
    grey = np.pad(grey, [(0, -side % block) for side in grey.shape], mode="edge")
    rows, columns = (side // block for side in grey.shape)
    return grey.reshape(rows, block, columns, block).mean(axis=(1, 3))


def border_of(picture):
    """Return the outermost rows and columns of a picture, one after the other."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def is_drawing(grey):
    """Return whether a picture is a drawing, whose paper is even, and not a photograph.

    Most pixels of a drawing, and nearly all of the outermost, have one grey, that of the paper. Or
    nine tenths have exactly one of two greys, paper and ink. What is smaller than 64 pixels is
    taken for a drawing.
    """
    border = border_of(grey)
    even = np.median(border)
    same, same_at_border = (np.abs(part - even) < 1.5 for part in (grey, border))
    if max(grey.shape) < 64 or same.all() or (same.mean() > 0.5 and same_at_border.mean() > 0.9):
        return True
    distances = [np.abs(grey - plain) for plain in (even, np.median(grey[~same]))]
    return bool(np.mean(np.minimum(*distances) < 0.5) > 0.9)


def find_paper(grey):
    """Return the brightness of the paper under each pixel, of shape (H, W).

    In a drawing it is even. In a photograph, the paper changes slowly: on a copy of 32 pixels, each
    pixel becomes the median of a square around it. A square has more paper than ink, so the ink
    disappears; the edges of shadows stay.
    """
    if is_drawing(grey):
        return np.full(grey.shape, np.median(border_of(grey)))
    small = average_blocks(grey, 32)
    small = ndimage.median_filter(small, max(small.shape) // 5 * 2 + 1, mode="mirror")
    block = math.ceil(max(grey.shape) / 32)
    large = ndimage.zoom(small, block, order=1, mode="nearest", grid_mode=True)
    return large[: grey.shape[0], : grey.shape[1]]


def find_ink(grey, paper):
    """Return by which share each pixel is darker than the paper: 0 for paper, 1 for black.

    If more is lighter than the paper, both are inverted first.

    Raises:
        ValueError: when nothing is drawn, or when most of the picture differs from the paper.
    """
    photographed, difference = not is_drawing(grey), grey - paper
    if difference[difference > 12].sum() > -difference[difference < -12].sum():
        grey, paper = 255 - grey, 255 - paper
    if photographed:  # beside the edge of a shadow, the paper that counts is the darker one
        paper = ndimage.minimum_filter(paper, max(grey.shape) // 32 * 2 + 1)
    ink = np.clip((paper - grey) / np.maximum(paper, 1), 0, 1)
    if ink.max() < 0.1:
        raise ValueError("nothing drawn: no pixel differs from the paper by a tenth or more")
    if np.mean(ink > 0.2 * ink.max()) > 0.6:
        raise ValueError("more ink than paper: crop the picture to one digit on plain paper")
    return ink


def find_lines(ink, pieces=12):
    """Return how dark the ruled lines are that run from left to right, of the shape of ``ink``.

    A line is thin, and dark in most pieces of its row and at both ends. It may lean by 3 %.
    """
    rows, columns = ink.shape
    width, thin = columns // pieces, 2 * int(0.015 * max(ink.shape)) + 1
    if width < 2:
        return np.zeros(ink.shape)
    darkest = ndimage.maximum_filter1d(ink, 3, axis=0)[:, : pieces * width]
    level = np.median(darkest.reshape(rows, pieces, width), axis=2)
    lines, steepest = np.zeros((rows, pieces)), round(0.03 * columns)
    for lean in range(-steepest, steepest + 1, 2):
        shift = np.round(lean * np.linspace(-0.5, 0.5, pieces)).astype(int)
        places = np.clip(np.arange(rows)[:, None] + shift, 0, rows - 1), np.arange(pieces)
        row = level[places]  # (rows, pieces), each piece moved up or down
        line = np.minimum(np.median(row, axis=1), 2 * row[:, [0, -1]].min(axis=1))
        line = line - ndimage.grey_opening(line, thin)  # what is wider than thin goes
        if line.max() > 0.03:
            np.maximum.at(lines, places, np.where(line > 0.03, line, 0)[:, None])
    lines = lines.repeat(width, axis=1)
    return np.pad(lines, ((0, 0), (0, columns - lines.shape[1])), mode="edge")


def erase_lines(ink):
    """Take ruled lines for a part of the paper: first along the rows, then along the columns."""
    for _ in range(2):
        lines = find_lines(ink)
        ink = np.clip((ink - lines) / np.maximum(1 - lines, 0.1), 0, 1).T
    return ink


def find_parts(ink):
    """Return the connected parts of the ink: an array with their numbers, from 1, and their boxes.

    A part has more than a fifth of the strongest ink, and somewhere more than two fifths.
    A box is (top, left, bottom, right); bottom and right are the first row and column outside.
    """
    strongest = ink.max()
    numbers, _ = ndimage.label(ink > 0.2 * strongest, np.ones((3, 3)))
    boxes = {}
    for number, place in enumerate(ndimage.find_objects(numbers), start=1):
        if ink[place][numbers[place] == number].max() > 0.4 * strongest:
            boxes[number] = tuple(side.start for side in place) + tuple(side.stop for side in place)
    return numbers, boxes


def longer_side(box):
    """Return the height or the width of a box, whichever is larger."""
    return max(box[2] - box[0], box[3] - box[1])


def erase_surroundings(ink):
    """Erase what touches the edge of a photograph along some length, such as the table; lines, too.

    Raises:
        ValueError: when nothing else is left, or when the digit itself touches the edge.
    """
    far, least = max(ink.shape), max(0.1, 0.2 * ink.max())
    while True:
        numbers, boxes = find_parts(ink)
        area = np.bincount(numbers.ravel())
        touching = np.bincount(border_of(numbers), minlength=len(area))
        outside = np.zeros(len(area), bool)
        for number, box in boxes.items():
            long = longer_side(box)
            line = long > 0.5 * far and area[number] < 0.02 * far * long
            outside[number] = touching[number] > 0.15 * far or (touching[number] and line)
        if not outside.any():
            break
        ink = np.where(outside[numbers], 0, ink)
    if ink.max() <= least:
        raise ValueError(
            "nothing but what reaches the edge, such as a shadow, the table, or lines: "
            "crop the picture close to the digit, or photograph it in even light"
        )
    most = np.bincount(numbers.ravel(), ink.ravel())[list(boxes)].argmax()
    if touching[list(boxes)[most]]:
        raise ValueError("the digit reaches the edge of the picture: leave some paper around it")
    return ink


def belongs(box, thing):
    """Return whether the part in ``box`` is so near to a larger thing that it belongs to it.

    The bar of a 5 may be loose. Two tall parts side by side are two digits.
    """
    down = max(box[0] - thing[2], thing[0] - box[2])
    across = max(box[1] - thing[3], thing[1] - box[3])
    height = thing[2] - thing[0]
    if across > max(2, 0.08 * height) and box[2] - box[0] > 0.6 * height:
        return False
    near = (0.2 if across > 0 else 0.35) * longer_side(thing)
    return max(down, across) <= max(2, near)


def find_things(ink):
    """Return the things that are drawn, that with most ink first: (box, numbers of its parts)."""
    numbers, boxes = find_parts(ink)
    amount = np.bincount(numbers.ravel(), ink.ravel())
    left = sorted(boxes, key=lambda number: -amount[number])
    things = []
    while left:
        thing, members = boxes[left[0]], [left.pop(0)]
        for number in [*left, *left]:  # twice: what is near to a part that comes later
            box = boxes[number]
            tiny = longer_side(box) < 0.06 * longer_side(thing)
            if number in left and not tiny and belongs(box, thing):
                corners = np.array([thing, box])
                thing = (*corners[:, :2].min(axis=0), *corners[:, 2:].max(axis=0))
                members.append(number)
                left.remove(number)
        things.append((thing, members))
    return numbers, things


def pick_digit(ink):
    """Erase specks; return the ink of the one thing that is drawn, as a tensor, 0 to 1.

    Raises:
        ValueError: when there are several things.
    """
    numbers, things = find_things(ink)
    (digit, members), *others = things
    count = 1 + sum(longer_side(box) > 0.3 * longer_side(digit) for box, _ in others)
    if count > 1:
        what = "crop the picture to one digit" if count < 5 else "is it a pattern? Crop close"
        raise ValueError(f"several things, {count} of them, where one digit was expected: {what}")
    chosen = np.zeros(numbers.max() + 1, bool)
    chosen[members] = True
    ink = np.where(chosen[numbers], ink, 0)
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
    grey = average_blocks(to_grey(picture).numpy())
    paper = find_paper(grey)
    ink = find_ink(grey, paper)
    if not is_drawing(grey):
        ink = erase_surroundings(erase_lines(ink))
    ink = scale_to_20(crop(pick_digit(ink)))
    return 2 * center(ink)[None] - 1
