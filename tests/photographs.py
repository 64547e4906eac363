"""Photographs of digits on paper, made from MNIST's: in a few conditions each, and quick.

A page is 600 by 450 pixels. The digit is enlarged until it is 200 pixels high, drawn with ink, and
then ruled, lit, blurred, given noise and compressed, as a telephone would.
"""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

ROWS, COLUMNS = 600, 450
DOWN, ACROSS = np.meshgrid(np.linspace(0, 1, ROWS), np.linspace(0, 1, COLUMNS), indexing="ij")
WHITE, BLACK, BLUE, GREY = (220, 217, 210), (30, 30, 40), (35, 45, 130), (130, 130, 132)


def enlarge(digit, height=200, thin=False):
    """Return where there is ink, 0 to 1; ``thin`` leaves a line of a few pixels."""
    large = ndimage.zoom(np.asarray(digit, float), height / 20, order=1)
    large = ndimage.gaussian_filter(large, height / 50)
    ink = np.clip(6 * (large - 0.45) + 0.5, 0, 1)
    if not thin:
        return ink
    depth = ndimage.distance_transform_edt(ink > 0.5)
    ridge = (depth > 2) & (depth >= 0.85 * ndimage.maximum_filter(depth, height // 14))
    return np.clip(4 - ndimage.distance_transform_edt(~ridge), 0, 1)


def photograph(digit, random, paper=WHITE, ink=BLACK, height=200, thin=False, change=None, **light):
    """Return an open JPEG file. ``change(page, random)`` draws on the page before it is lit."""
    shape = enlarge(digit, height, thin)
    top, left = (random.integers(0.1 * free, 0.9 * free + 1) for free in _free(shape))
    covered = np.zeros((ROWS, COLUMNS, 1))
    covered[top : top + shape.shape[0], left : left + shape.shape[1], 0] = shape
    page = np.full((ROWS, COLUMNS, 3), paper, float)
    if change:
        page = change(page, random)
    return expose(page * (1 - covered) + np.array(ink) * covered, random, **light)


def _free(shape):
    return ROWS - shape.shape[0], COLUMNS - shape.shape[1]


def expose(page, random, lit=None, noise=3, blur=0.7, quality=85):
    """Return an open JPEG file of a page, seen by a camera; ``noise`` is in steps of 255."""
    if lit is not None:
        page = page * lit(random)[..., None]
    page = ndimage.gaussian_filter(page, (blur, blur, 0))
    page = page + random.normal(0, noise, page.shape)
    file = io.BytesIO()
    Image.fromarray(page.clip(0, 255).astype(np.uint8)).save(file, "jpeg", quality=quality)
    file.seek(0)
    return file


# Light


def fading(to):
    """Light that fades across the page, in any direction, from 1 to ``to``."""

    def lit(random):
        turn = random.uniform(0, 2 * np.pi)
        slope = np.cos(turn) * DOWN + np.sin(turn) * ACROSS
        return to + (1 - to) * (slope - slope.min()) / np.ptp(slope)

    return lit


def dark_corners(random):
    return 1 - 0.85 * ((DOWN - 0.5) ** 2 + (ACROSS - 0.5) ** 2)


def shadow(random):
    """A hand's soft shadow over a part of the page: a fifth of the light is gone there."""
    edge = random.uniform(0.2, 0.8) + 0.3 * (DOWN - 0.5)
    return 1 - 0.2 / (1 + np.exp((edge - ACROSS) / 0.05))


# What is on a page beside the digit


def _rule(page, random, strength, both):
    """Pale blue lines, 38 pixels apart, that lean by up to 2 %."""
    lean = random.uniform(-0.02, 0.02)
    place = np.arange(ROWS)[:, None] + lean * np.arange(COLUMNS) + random.uniform(0, 38)
    lines = place % 38 < 1.6
    if both:
        place = np.arange(COLUMNS) - lean * np.arange(ROWS)[:, None] + random.uniform(0, 38)
        lines = lines | (place % 38 < 1.6)
    lines = strength * ndimage.gaussian_filter(lines.astype(float), 0.5)[..., None]
    return page * (1 - lines) + np.array((120, 150, 210)) * lines


def ruled(page, random):
    return _rule(page, random, 0.8, both=False)


def squared(page, random):
    return _rule(page, random, 0.7, both=True)


def holes(page, random):
    """Two punched holes at the left, through which one sees the table."""
    across = random.uniform(16, 24)
    for down in (0.35 * ROWS, 0.65 * ROWS):
        distance = np.hypot(np.arange(ROWS)[:, None] - down, np.arange(COLUMNS) - across)
        page = np.where((distance < 11)[..., None], (70, 55, 45), page)
    return page


def table(page, random):
    page = page.copy()
    page[-35:] = page[:, :40] = (95, 65, 45)
    return page


def other_paper(page, random):
    papers = [(225, 205, 90), (225, 150, 165), (140, 185, 215), (150, 200, 150), (178, 145, 110)]
    return np.full(page.shape, papers[random.integers(len(papers))], float)


def pale_lines(page, random):
    return _rule(page, random, 0.4, both=False)


def all_mild(random):
    return fading(0.8)(random) * shadow(random) ** 0.5


# The settings of ``photograph`` for each. The first five are in no other list of ours.
CONDITIONS = {
    "squared paper": {"change": squared},
    "dark corners": {"lit": dark_corners},
    "punched holes": {"change": holes},
    "another colour of paper": {"change": other_paper},
    "everything mild at once": {
        **{"thin": True, "ink": BLUE, "change": pale_lines, "lit": all_mild},
        **{"noise": 7, "blur": 1.2, "quality": 75},
    },
    "even light": {},
    "light fades to a half": {"lit": fading(0.5)},
    "soft shadow": {"lit": shadow},
    "pencil, light fades": {"thin": True, "ink": GREY, "lit": fading(0.7)},
    "ruled": {"change": ruled},
    "noise": {"noise": 15},
    "the table at two sides": {"change": table},
    "chalk on a green board": {"paper": (45, 75, 55), "ink": (230, 230, 220)},
    "small": {"height": 90},
}
