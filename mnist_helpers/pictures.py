"""Pictures of a digit, made like MNIST's (notebook 12)."""

from pathlib import Path

import torch
from PIL import Image, ImageOps
from torchvision.transforms import v2


def open_picture(picture):
    """Return a picture (a path, a file open for reading bytes, or a PIL image) upright, as RGBA.

    Raises:
        ValueError: when it is not a picture that can be read.
        FileNotFoundError: when there is no such file.
    """
    try:
        opened = picture if isinstance(picture, Image.Image) else Image.open(picture)
        upright = ImageOps.exif_transpose(opened)
        if upright.mode.startswith("I"):  # 16 bits a pixel, as some scanners write
            upright = upright.convert("I").point(lambda value: value / 257).convert("L")
        return upright.convert("RGBA")
    except FileNotFoundError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise ValueError(f"this is not a picture that can be read: {error}") from error


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


def find_ink(grey):
    """Return how much ink lies on each pixel, 0 to 1, whether the ink is lighter or darker.

    The paper is what most of the outermost pixels look like.

    Raises:
        ValueError: when nothing is drawn, or when most of the picture differs from its border.
    """
    paper = torch.cat([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).median()
    lighter, darker = (grey - paper).clamp(min=0), (paper - grey).clamp(min=0)
    ink = lighter if lighter.sum() > darker.sum() else darker
    if ink.max() < 25:
        raise ValueError("nothing drawn: no pixel differs from the border by a tenth or more")
    ink = torch.where(ink > 0.2 * ink.max(), ink / ink.max(), 0.0)
    if (ink > 0).double().mean() > 0.6:
        raise ValueError("more ink than paper: crop the picture to one digit on plain paper")
    return ink


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
    ink = scale_to_20(crop(find_ink(to_grey(picture))))
    return 2 * center(ink)[None] - 1
