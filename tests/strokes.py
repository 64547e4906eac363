"""Digits as a pen draws them: strokes through points from (0, 0), top left, to (1, 1)."""

import random

import torch
from PIL import Image, ImageDraw

SIDE = 140  # pixels of the pad's drawings
FINER = 2  # drawn so many times larger, then made small, so that edges are smooth

CIRCLE = [(0.5, 0.05), (0.25, 0.2), (0.2, 0.5), (0.28, 0.82), (0.5, 0.95)]
CIRCLE += [(0.74, 0.8), (0.8, 0.5), (0.72, 0.18), (0.5, 0.05)]
LOOPS = [(0.5, 0.5), (0.28, 0.35), (0.3, 0.12), (0.52, 0.05), (0.72, 0.15), (0.7, 0.35), (0.5, 0.5)]
LOOPS += [(0.27, 0.66), (0.25, 0.88), (0.5, 0.96), (0.75, 0.86), (0.74, 0.65), (0.5, 0.5)]
FIVE = [
    (0.75, 0.08),
    (0.3, 0.08),
    (0.27, 0.45),
    (0.6, 0.42),
    (0.74, 0.68),
    (0.55, 0.94),
    (0.2, 0.9),
]
SIX = [
    (0.65, 0.05),
    (0.35, 0.35),
    (0.25, 0.75),
    (0.5, 0.95),
    (0.72, 0.75),
    (0.5, 0.58),
    (0.28, 0.7),
]
NINE = [
    (0.72, 0.25),
    (0.5, 0.08),
    (0.3, 0.25),
    (0.45, 0.45),
    (0.72, 0.3),
    (0.68, 0.6),
    (0.55, 0.95),
]
STROKES = {
    0: [CIRCLE],
    1: [[(0.52, 0.05), (0.5, 0.5), (0.48, 0.95)]],
    2: [[(0.22, 0.25), (0.4, 0.06), (0.68, 0.12), (0.72, 0.35), (0.2, 0.92), (0.82, 0.92)]],
    3: [[(0.25, 0.1), (0.7, 0.12), (0.45, 0.45), (0.75, 0.65), (0.6, 0.92), (0.22, 0.86)]],
    4: [[(0.3, 0.05), (0.2, 0.55), (0.82, 0.55)], [(0.66, 0.2), (0.64, 0.95)]],
    5: [FIVE],
    6: [SIX],
    7: [[(0.2, 0.1), (0.8, 0.08), (0.55, 0.5), (0.42, 0.95)]],
    8: [LOOPS],
    9: [NINE],
}


def place(digit, corner=(0.2, 0.12), size=(0.6, 0.76)):
    """Return the strokes of a digit with its corner and its size on a pad from 0 to 1."""
    return [
        [(corner[0] + size[0] * x, corner[1] + size[1] * y) for x, y in stroke]
        for stroke in STROKES[digit]
    ]


def draw(strokes, pen):
    """Return a drawing with a round pen, uint8 of shape (140, 140), as the pad sends it."""
    sheet = Image.new("L", (SIDE * FINER, SIDE * FINER))
    brush = ImageDraw.Draw(sheet)
    for stroke in strokes:
        points = [(x * SIDE * FINER, y * SIDE * FINER) for x, y in stroke]
        brush.line(points, fill=255, width=round(pen * FINER), joint="curve")
        for x, y in points:
            radius = pen * FINER / 2
            brush.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    small = sheet.resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(SIDE, SIDE)


def drawings(number, seed=0):
    """Return so many drawings, uint8 (number, 140, 140): other pens, places, sizes and hands.

    One in twenty is no digit: an empty pad, a dot, a pad that is nearly full.
    """
    chance = random.Random(seed)
    sheets = []
    for index in range(number):
        if index % 20 == 19:
            sheets.append(no_digit(index // 20 % 3))
            continue
        size = chance.uniform(0.15, 0.95), chance.uniform(0.2, 0.95)
        corner = chance.uniform(0, 1 - size[0]), chance.uniform(0, 1 - size[1])
        strokes = [
            [(x + chance.gauss(0, 0.02), y + chance.gauss(0, 0.02)) for x, y in stroke]
            for stroke in place(index % 10, corner, size)
        ]
        sheets.append(draw(strokes, chance.uniform(3, 18)))
    return torch.stack(sheets)


def no_digit(kind):
    if kind == 0:
        return torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    if kind == 1:
        return draw([[(0.5, 0.5)]], 2)
    return draw([[(0.1, y / 10), (0.9, y / 10)] for y in range(1, 10)], 20)
