"""Look inside a network: a widget for notebooks, and the same as one HTML file for any browser.

``explorer.js`` does the work, in both places. Here is what it gets: weights and images as text.
"""

import asyncio
import base64
import copy
import io
import json
import time
import zlib
from importlib import resources
from pathlib import Path

import anywidget
import torch
import traitlets
from PIL import Image
from torch import nn

from mnist_helpers.explorer.picture import picture
from mnist_helpers.files import write_whole
from mnist_helpers.model import CNN

__all__ = ["DigitPad", "Explorer", "Playground", "export_page"]

FOLDER = Path(__file__).parent
SIDE = 140  # pixels of a drawing that are sent to Python
MOST_IMAGES = 200
SECONDS_BETWEEN = 0.3  # updates of the weights, while a network is trained
WEIGHTS = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc.weight", "fc.bias")


def to_text(tensor):
    """Return a tensor as text: base64 of its float32 values, the lowest byte first."""
    numbers = tensor.detach().cpu().to(torch.float32).contiguous()
    return base64.b64encode(numbers.numpy().astype("<f4").tobytes()).decode()


def from_text(text):
    """Return the image, float32 of shape (1, 28, 28), that ``to_text`` has made text of."""
    if not text:
        return None
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32).view(1, 28, 28)


def network_of(model):
    """Return a ``CNN`` on the CPU with the weights of a model or of a state dict.

    Raises:
        TypeError: when it is neither.
        ValueError: when its layers have other names or shapes, or when it computes something else
            with them.
    """
    if not isinstance(model, (nn.Module, dict)):
        raise TypeError(f"expected a network such as CNN(), but got {type(model).__name__}")
    if isinstance(model, nn.Module):
        expected = [name for name, _ in CNN().named_children()]
        names = [name for name, _ in model.named_children()]
        if sorted(names) != sorted(expected):
            raise ValueError(
                f"the explorer shows networks with the layers {', '.join(expected)}, "
                f"but this one has {', '.join(names) or 'none'}"
            )
    state = model.state_dict() if isinstance(model, nn.Module) else model
    network = CNN().requires_grad_(False).eval()
    for name, values in network.state_dict().items():
        found = tuple(state[name].shape) if name in state else "missing"
        if found != tuple(values.shape):
            raise ValueError(f"{name} must have the shape {tuple(values.shape)}, but is {found}")
    network.load_state_dict({name: state[name].float() for name in WEIGHTS})
    if isinstance(model, nn.Module):
        check_same_answers(model, network)
    return network


@torch.inference_mode()
def check_same_answers(model, network):
    """Raise ``ValueError`` when a model answers differently from the ``CNN`` with its weights."""
    images = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ours = network(images)
    theirs = copy.deepcopy(model).cpu().float().eval()(images)
    if ours.isfinite().all() and (ours - theirs).abs().max() > 1e-3 * (1 + ours.abs().max()):
        raise ValueError(
            "this network computes something else with its layers than CNN does "
            "(another padding, stride, order or activation), so the explorer would show it wrong"
        )


def check_images(images):
    """Return one image or several as float32 of shape (N, 1, 28, 28).

    Raises:
        ValueError: when they have another shape or type, or are more than ``MOST_IMAGES``.
    """
    images = torch.as_tensor(images)
    if images.shape[-2:] != (28, 28) or not images.is_floating_point():
        raise ValueError(
            "expected floating-point images of shape (1, 28, 28) or (N, 1, 28, 28), "
            f"but got {images.dtype} of shape {tuple(images.shape)}"
        )
    if images.ndim > 4 or (images.ndim == 4 and images.shape[1] != 1):
        raise ValueError(f"expected one channel, but got images of shape {tuple(images.shape)}")
    images = images.detach().cpu().float().reshape(-1, 1, 28, 28)
    if not 1 <= len(images) <= MOST_IMAGES:
        raise ValueError(
            f"the explorer shows up to {MOST_IMAGES} images, but got {len(images)}: "
            f"choose some, such as images[:{MOST_IMAGES}]"
        )
    return images


def own_digits():
    """Return the test digits that are inside the package: uint8 (48, 28, 28), and their labels."""
    sheet = Image.open(io.BytesIO((resources.files(__package__) / "digits.png").read_bytes()))
    pixels = torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8)
    return pixels.view(-1, 28, 28), [int(label) for label in sheet.info["labels"]]


def normalized(digits):
    """Return uint8 digits as ``load_mnist`` gives them, to the last bit: from -1 to 1."""
    return (digits.float() * (1 / 255) - 0.5) / 0.5


def pack(digits):
    """Return uint8 digits as text: a zero is followed by the number of zeros, up to 255."""
    packed, zeros = bytearray(), 0
    for value in [*digits.flatten().tolist(), None]:
        if zeros and (value != 0 or zeros == 255):
            packed += bytes([0, zeros])
            zeros = 0
        if value == 0:
            zeros += 1
        elif value is not None:
            packed.append(value)
    return base64.b64encode(packed).decode()


def weights_text(network):
    return to_text(torch.cat([network.state_dict()[name].flatten() for name in WEIGHTS]))


def images_text(images, labels):
    """Return what the explorer gets of images: as text, or '' and the test digits instead."""
    if images is None:
        digits, labels = own_digits()
        return {"images": "", "digits": pack(digits), "labels": labels}
    images = check_images(images)
    labels = [] if labels is None else [int(label) for label in torch.as_tensor(labels).flatten()]
    if labels and len(labels) != len(images):
        raise ValueError(f"{len(images)} images, but {len(labels)} labels")
    return {"images": to_text(images), "digits": "", "labels": labels}


def export_page(model, path, images=None, before=None, labels=None):
    """Write a page that shows the inside of a network: one HTML file that opens in any browser.

    Args:
        model: a ``CNN`` or ``FastCNN``, or a module with the same seven layers.
        path: where to write the file.
        images: up to 200 images to look at, floating point of shape (N, 1, 28, 28); by default
            48 test digits. A digit can be drawn in any case.
        before: a model or state dict with the weights from before the training, to compare.
        labels: if given, the digits that ``images`` show.

    Raises:
        ValueError: when the network or the images have another form than the explorer shows.
        OSError: when the file cannot be written.
    """
    weights = weights_text(network_of(model))
    data = {"weights": weights, "checksum": zlib.adler32(base64.b64decode(weights))}
    data["before"] = "" if before is None else weights_text(network_of(before))
    data |= images_text(images, labels)
    write_page(path, data)


def write_page(path, data):
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    parts = {
        "/* styles */": (FOLDER / "explorer.css").read_text(encoding="utf-8"),
        "/* script */": (FOLDER / "explorer.js").read_text(encoding="utf-8"),
        "/* data */": json.dumps(data).replace("</", "<\\/"),
    }
    for mark, text in parts.items():
        before, after = page.split(mark)
        page = before + text + after
    write_whole(Path(path), page.encode())


class Explorer(anywidget.AnyWidget):
    """Look inside a network, on a digit that you draw: every map, every number, every product.

    Args:
        model: a ``CNN`` or ``FastCNN``, or a module with the same seven layers.
        images: one image, or up to 200, floating point of shape (1, 28, 28) or (N, 1, 28, 28); by
            default 48 test digits.
        before: a model or state dict with the weights from before the training, to compare.
            ``Explorer(model, before=model)`` keeps those of this moment.
        labels: if given, the digits that ``images`` show.

    ``image`` is what the network reads, float32 of shape (1, 28, 28), or None while nothing is
    drawn. It can be set. ``probabilities`` are the ten probabilities, or empty. Both can be
    observed, and change when the pen is lifted.

    Raises:
        TypeError, ValueError: when the network or the images have another form than it can show.
    """

    _esm = FOLDER / "explorer.js"
    _css = FOLDER / "explorer.css"
    _part = traitlets.Unicode("explorer").tag(sync=True)
    _weights = traitlets.Unicode().tag(sync=True)
    _before = traitlets.Unicode().tag(sync=True)
    _images = traitlets.Unicode().tag(sync=True)
    _digits = traitlets.Unicode().tag(sync=True)
    _labels = traitlets.List(traitlets.Int()).tag(sync=True)
    _steps = traitlets.Int(0).tag(sync=True)
    image = traitlets.Instance(torch.Tensor, allow_none=True).tag(
        sync=True,
        to_json=lambda image, widget: "" if image is None else to_text(image),
        from_json=lambda text, widget: from_text(text),
    )
    probabilities = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, model, images=None, before=None, labels=None):
        self._model, self._network = model, network_of(model)
        texts = {f"_{name}": text for name, text in images_text(images, labels).items()}
        first = normalized(own_digits()[0][0]) if images is None else check_images(images)[0]
        super().__init__(
            _weights=weights_text(self._network),
            _before="" if before is None else weights_text(network_of(before)),
            image=first.view(1, 28, 28),
            **texts,
        )
        self._sent_at, self._waiting = -SECONDS_BETWEEN, None
        self.probabilities = self._read()

    def __repr__(self):
        return "An explorer: run this cell in a notebook to look inside the network."

    def _repr_mimebundle_(self, **kwargs):
        """Add a picture, for readers without a kernel: GitHub, paper, a page that only shows."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if self.image is not None:
            png = picture(self._network, self.image, self.probabilities)
            data["image/png"] = base64.b64encode(png).decode()
        return bundle

    @traitlets.validate("image")
    def _check_image(self, proposal):
        return None if proposal.value is None else check_images(proposal.value)[0]

    @traitlets.observe("image")
    def _image_was_set(self, change):
        # The browser sends its probabilities with its image: it may have switched filters off.
        if not getattr(self, "_property_lock", None):
            self.probabilities = self._read()

    @torch.inference_mode()
    def _read(self):
        if self.image is None:
            return []
        probabilities = self._network(self.image[None]).softmax(dim=1)[0]
        return probabilities.tolist() if probabilities.isfinite().all() else []

    def update(self, *history):
        """Show the present weights of the model.

        Takes what ``fit`` gives ``after_step`` and ``after_epoch``, so that it can be either. In a
        notebook the weights are sent a few times a second at most; the last ones always are, once
        the cell has ended.
        """
        if history and isinstance(history[-1], dict):
            self._progress = len(history[-1].get("train_loss", []))
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._send_weights()  # no kernel, and nobody who looks on
        wait = self._sent_at + SECONDS_BETWEEN - time.monotonic()
        if wait <= 0:
            self._send_weights()
        elif self._waiting is None:
            self._waiting = loop.call_later(wait, self._send_weights)

    _progress = 0

    def _send_weights(self):
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        state = self._model.state_dict()
        self._network.load_state_dict({name: state[name] for name in WEIGHTS})
        with self.hold_sync():
            self._weights = weights_text(self._network)
            self._steps = self._progress
            self.probabilities = self._read()
        self._sent_at = time.monotonic()

    def save(self, path):
        """Write the explorer as one HTML file that opens in any browser, without a network."""
        self._send_weights()
        names = ("weights", "before", "images", "digits", "labels", "steps")
        data = {name: getattr(self, f"_{name}") for name in names}
        data["checksum"] = zlib.adler32(base64.b64decode(self._weights))
        write_page(path, data)


class Playground(anywidget.AnyWidget):
    """A convolution on a small grid, to play with: size, kernel, stride, padding, dilation."""

    _esm = FOLDER / "explorer.js"
    _css = FOLDER / "explorer.css"
    _part = traitlets.Unicode("playground").tag(sync=True)

    def __repr__(self):
        return "A playground: run this cell in a notebook to play with a convolution."


class DigitPad(anywidget.AnyWidget):
    """A black square that is drawn on with a mouse, a finger, a pen or the keyboard.

    With the keyboard: the arrow keys move, the space bar puts the pen down or lifts it, and
    Delete clears. ``pixels`` holds the grey values, ``SIDE`` rows of ``SIDE`` bytes in base64, or
    a blank when the pad is empty. It changes once for each stroke, when the pen is lifted.
    """

    _esm = FOLDER / "explorer.js"
    _css = FOLDER / "explorer.css"
    _part = traitlets.Unicode("pad").tag(sync=True)
    pixels = traitlets.Unicode("").tag(sync=True)

    def image(self):
        """Return what is drawn as a uint8 tensor of shape (140, 140), 255 for ink."""
        grey = base64.b64decode(self.pixels) or bytes(SIDE * SIDE)
        return torch.frombuffer(bytearray(grey), dtype=torch.uint8).reshape(SIDE, SIDE)
