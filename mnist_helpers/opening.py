"""Pictures from files: upright, in little memory, with a true word on what cannot be. No lesson.

What cameras, scanners and drawing programs write is many things: 50 megapixels, the camera held
sideways, 16 bits a pixel, an empty first frame. Notebook 12 uses what comes out of here.
"""

import importlib
import warnings
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms.v2.functional import pil_to_tensor

from mnist_helpers.files import at_home

LONGEST = 800  # pixels; more is never needed, and a page of 108 megapixels takes gigabytes
MOST_PIXELS = 40e6  # of a picture that has to be unpacked whole before it can be shrunk
MOST_FRAMES = 50  # looked at, for one in which there is something
FULL_SCALES = [2**bits - 1 for bits in (8, 10, 12, 14, 16)]  # what cameras and scanners write
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
SMALLER = "make it smaller (2,000 pixels are plenty), or save it as an ordinary JPEG"


def open_picture(picture):
    """Return a picture upright, with 8 bits a channel, shrunk to about ``LONGEST`` pixels.

    Args:
        picture: a path, a file open for reading bytes, or a PIL image (which stays as it is).

    Returns:
        Image: of mode RGB, or RGBA where something may be transparent.

    Raises:
        ValueError: when it is not a picture that can be read, or needs too much memory.
        FileNotFoundError: when there is no such file.
    """
    if isinstance(picture, Image.Image):
        return _decode(picture)
    if isinstance(picture, (str, Path)):
        picture = at_home(picture)
    try:
        with warnings.catch_warnings():  # Pillow's own, about large pictures: see _check_size
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(picture)
    except FileNotFoundError:
        raise
    except Image.DecompressionBombError as error:
        raise ValueError(f"the picture has more than 170 megapixels: {SMALLER}") from error
    except Image.UnidentifiedImageError:  # its own text has an address in memory
        opened = _open_heic(picture)
    except Exception as error:
        raise _unreadable(error) from error
    if isinstance(picture, Path):
        with opened:
            return _decode(opened)
    return _decode(opened)


def _unreadable(reason):
    return ValueError(f"this is not a picture that can be read: {reason}")


def _open_heic(picture):
    """Open a picture as iPhones take them; say what is missing, or that it is no picture."""
    start = _first_bytes(picture)
    if start[4:8] != b"ftyp" or start[8:12] not in HEIC:
        raise _unreadable("Pillow knows no kind of picture that begins like this file") from None
    try:
        pillow_heif = importlib.import_module("pillow_heif")  # an extra: most have no need of it
    except ModuleNotFoundError:
        raise ValueError(
            "this is a HEIC picture, as iPhones take them: install pillow-heif "
            "(python -m pip install pillow-heif) and try again, or save the picture as JPEG"
        ) from None
    pillow_heif.register_heif_opener()
    try:
        return Image.open(picture)
    except Exception as error:
        raise _unreadable(f"the HEIC file is damaged ({type(error).__name__})") from error


def _first_bytes(picture):
    if isinstance(picture, Path):
        with open(picture, "rb") as file:
            return file.read(12)
    picture.seek(0)
    start = picture.read(12)
    picture.seek(0)
    return start


def _decode(opened):
    """Unpack a picture: shrunk, upright, of 8 bits."""
    _check_size(opened)
    try:
        if opened.format in ("JPEG", "MPO"):
            opened.draft(None, (LONGEST, LONGEST))  # unpacks a half, a quarter or an eighth
        picture = _first_with_something(opened)
        factor = max(picture.size) // LONGEST
        orientation = picture.getexif()
        if factor > 1 and not picture.mode.startswith(("I", "F")):
            if picture.mode in ("P", "PA", "LA", "1"):
                picture = _without_palette(picture)
            transparent = picture.mode == "RGBA"  # what is clear must not colour its neighbours
            picture = (picture.convert("RGBa") if transparent else picture).reduce(factor)
            picture = picture.convert("RGBA") if transparent else picture
            picture.getexif().update(orientation)
        picture = _to_8_bits(ImageOps.exif_transpose(picture))
        return _without_palette(picture)
    except _Refused:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise _unreadable(error) from error


class _Refused(ValueError):
    """A refusal with a reason of its own: the picture is not damaged."""


def _check_size(opened):
    pixels = opened.width * opened.height
    kind, progressive = opened.format, "progressive" in opened.info
    if pixels <= MOST_PIXELS or kind is None or (kind in ("JPEG", "MPO") and not progressive):
        return  # a picture that is in memory already is of no kind
    kind = f"a progressive {kind}" if progressive else kind
    raise ValueError(
        f"the picture has {pixels / 1e6:.0f} megapixels, too many for {kind}: {SMALLER}"
    )


def _first_with_something(opened):
    """Return the first frame that is not all of one colour; the first, if none is."""
    frames = getattr(opened, "n_frames", 1)
    if frames == 1:
        return opened
    for number in range(min(frames, MOST_FRAMES)):
        opened.seek(number)
        ranges = opened.getextrema()
        ranges = ranges if isinstance(ranges[0], tuple) else (ranges,)
        if any(low != high for low, high in ranges):
            return opened
    opened.seek(0)
    return opened


def _to_8_bits(picture):
    """Turn 10 to 16 bits a pixel, and floating point, into 8 bits."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    pixels = pil_to_tensor(picture).double()[0]
    low, high = pixels.min().item(), pixels.max().item()
    if not (torch.isfinite(pixels).all() and low >= 0):
        raise _Refused(f"expected grey from 0 up, but the file goes from {low:g} to {high:g}")
    scales = [1, *FULL_SCALES] if picture.mode == "F" else FULL_SCALES
    full = next((scale for scale in scales if high <= scale), high)
    return Image.fromarray((pixels * (255 / full)).round().byte().numpy())


def _without_palette(picture):
    transparent = "A" in picture.getbands() or "transparency" in picture.info
    return picture.convert("RGBA" if transparent else "RGB")


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


class PictureFolder(ImageFolder):
    """torchvision's ``ImageFolder``, for pictures as people have them.

    Hidden folders such as ``.ipynb_checkpoints`` are no classes, HEIC files are not left out, and
    a picture that cannot be read is named.

    Args:
        root: the folder; in it one folder a class, with the class as its name.
        loader: turns a path into a picture; ``to_grey`` opens as ``to_mnist`` does.
        transform: called with each picture, as in ``ImageFolder``.

    Raises:
        FileNotFoundError: when there is no folder in ``root``, or none with a picture in it.
        ValueError: when a picture is asked for that the loader refuses; names its path.
    """

    def __init__(self, root, loader, transform=None):
        endings = (*IMG_EXTENSIONS, ".gif", ".heic", ".heif", ".avif")
        super().__init__(
            root,
            transform,
            loader=lambda path: _load_named(loader, path),
            is_valid_file=lambda path: path.lower().endswith(endings),
        )

    def find_classes(self, directory):
        names = sorted(
            entry.name
            for entry in Path(directory).iterdir()
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if not names:
            raise FileNotFoundError(f"no folders in {directory}: make one a class, of its name")
        return names, {name: number for number, name in enumerate(names)}


def _load_named(loader, path):
    try:
        return loader(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
