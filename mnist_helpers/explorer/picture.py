"""A picture of the explorer, for places without a kernel: GitHub, paper, a page that only shows."""

import io

import torch
from matplotlib import colormaps, get_data_path
from PIL import Image, ImageDraw, ImageFont

from mnist_helpers.model import activations

# Of each column: the layer, its colour map, tiles in a row, pixels of a tile.
COLUMNS = [
    ("input", "gray", 1, 168),
    ("conv1", "RdBu_r", 2, 56),
    ("relu1", "viridis", 2, 56),
    ("pool1", "viridis", 2, 42),
    ("conv2", "RdBu_r", 4, 35),
    ("relu2", "viridis", 4, 35),
    ("pool2", "viridis", 4, 28),
]
GAP, TOP, BOTTOM, HEIGHT = 2, 70, 556, 604  # between tiles; of the tiles; of the picture
LEFT, BETWEEN = 10, 18  # of the first column, and between columns
WIDTH = 110  # at least, of a column
SHADES = 40  # of each colour map: a picture of 256 colours is half as large
INK, SOFT, BAR, MARK = "#1c2127", "#525c68", "#0a5fa8", "#b84a00"
LARGE, SMALL = 20, 16  # letters, in pixels: 9 pt at least where the picture is a page wide


def font(size):
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def colored(values, name, most):
    """Return numbers of shape (H, W) as an image: from -most or 0 to most."""
    low = 0 if name == "viridis" else -most
    shares = ((values - low) / (most - low) * SHADES).round() / SHADES
    shades = colormaps[name](shares.numpy(), bytes=True)
    return Image.fromarray(shades[:, :, :3])


def draw_column(sheet, x, maps, column):
    """Draw the maps of a layer, shape (N, H, W), from ``x`` on; return where they end."""
    layer, colors, in_row, side = column
    pen, pitch = ImageDraw.Draw(sheet), side + GAP
    shape = " × ".join(str(size) for size in maps.shape)
    pen.text((x, 8), layer, INK, font(LARGE))
    pen.text((x, 36), shape, SOFT, font(SMALL))
    rows = -(-len(maps) // in_row)
    y = TOP + (BOTTOM - TOP - rows * pitch) // 2
    if layer == "input":
        pen.text((x + side // 2, y - 6), "draw here", MARK, font(LARGE), anchor="ms")
    most = 1 if layer == "input" else max(maps.abs().max().item(), 1e-12)
    for index, values in enumerate(maps):
        tile = colored(values, colors, most).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(tile, (x + index % in_row * pitch, y + index // in_row * pitch))
    low = 0 if colors == "viridis" else -most
    sheet.paste(
        colored(torch.linspace(low, most, WIDTH).expand(8, -1), colors, most), (x, BOTTOM + 8)
    )
    pen.text((x, BOTTOM + 20), f"{low:.2g}".replace("-", "−"), SOFT, font(SMALL))
    pen.text((x + WIDTH, BOTTOM + 20), f"{most:.2g}", SOFT, font(SMALL), anchor="ra")
    return x + max(in_row * pitch, WIDTH)


def percent(share):
    """Return a share in words, as the explorer says it."""
    value = 100 * share
    if 0 < value < 0.1:
        return "< 0.1 %"
    if 99.9 < value < 100:
        return "> 99.9 %"
    return f"{value:.{int(0 < value < 1 or 99 < value < 100)}f} %"


def answer(probabilities):
    """Return what is read, in words, line by line."""
    if not probabilities:
        return ["There is no answer."]
    first, second = sorted(range(10), key=lambda digit: -probabilities[digit])[:2]
    lines = [f"It reads {first}", "with " + percent(probabilities[first]).replace(">", "more than")]
    if probabilities[second] >= 0.01:
        lines[-1] += ","
        lines.append(f"then {second} with {percent(probabilities[second])}")
    return lines


def draw_bars(sheet, x, probabilities):
    pen = ImageDraw.Draw(sheet)
    pen.text((x, 8), "probability", INK, font(LARGE))
    for number, line in enumerate(answer(probabilities)):
        pen.text(
            (x, TOP + 8 + 26 * number + 4 * (number > 0)),
            line,
            BAR,
            font(SMALL if number else LARGE),
        )
    for digit, share in enumerate(probabilities):
        y = TOP + 106 + 38 * digit
        pen.text((x, y - 3), str(digit), INK, font(SMALL))
        pen.rectangle([x + 20, y, x + 120, y + 14], "#e6eaee")
        if share > 0.005:
            pen.rectangle([x + 20, y, x + 20 + 100 * share, y + 14], BAR)
        pen.text((x + 128, y - 3), f"{100 * share:.0f} %", INK, font(SMALL))
    return x + 192


@torch.inference_mode()
def picture(network, image, probabilities):
    """Return a PNG of all layers of a ``CNN`` for an image of shape (1, 28, 28), left to right."""
    sheet = Image.new("RGB", (1600, HEIGHT), "white")
    outputs = {"input": image[None]} | activations(network, image[None])
    x = LEFT
    for column in COLUMNS:
        maps = outputs[column[0]][0].nan_to_num()
        x = draw_column(sheet, x, maps, column) + BETWEEN
    end = draw_bars(sheet, x, probabilities)
    file = io.BytesIO()
    sheet.crop((0, 0, end, HEIGHT)).quantize(256).save(file, "png", optimize=True)
    return file.getvalue()
