"""Networks and recipes that make bench and make ladder train, with a recorded step on a GPU."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from mnist_helpers import load_mnist
from mnist_helpers.fast import make_fast, recorded_epoch


class Wide(nn.Module):
    """The network of train_mnist_fast: two convolutions and two linear layers.

    By default it has 215,194 parameters, as there; with 32 and 64 maps it has 431,754.
    """

    def __init__(self, first=24, second=32):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, first, 5), nn.Conv2d(first, second, 3)
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(second * 5 * 5, 256), nn.ReLU())
        self.last = nn.Linear(256, 10)

    def forward(self, images):
        maps = F.max_pool2d(self.first(images), 2).relu()
        maps = F.max_pool2d(self.second(maps), 2).relu()
        return self.last(self.linear(maps))


def block(before, after):
    """Return a convolution, batch normalisation and ReLU, as a list."""
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU()]


class Deep(nn.Module):
    """Six convolutions with batch normalisation, 288,170 parameters: 32, 64, then 128 maps."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(
            *block(1, 32),
            *block(32, 32),
            nn.MaxPool2d(2),
            *block(32, 64),
            *block(64, 64),
            nn.MaxPool2d(2),
            *block(64, 128),
            *block(128, 128),
        )
        self.last = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(128, 10)
        )

    def forward(self, images):
        return self.last(self.maps(images))


class Vary(nn.Module):
    """Change each image a little while the network learns: another way each time.

    Turned by up to 8 degrees, up to 8 % larger or smaller, sheared by up to 8 %, and moved by up to
    1.5 pixels; bent, too, by up to a pixel where ``bend`` is 1.
    """

    def __init__(self, bend=0):
        super().__init__()
        self.bend = bend

    def forward(self, images):
        if not self.training:
            return images
        turn, size, stretch, shear, right, down = self.draw(images, 6)
        turn, size, stretch = math.radians(8) * turn, 1 + 0.08 * size, 1 + 0.04 * stretch
        cos, sin, shear = turn.cos(), turn.sin(), 0.08 * shear
        across = [cos * size, (shear * cos - sin) * size * stretch, right * 1.5 / 14]
        upright = [sin * size, (shear * sin + cos) * size * stretch, down * 1.5 / 14]
        matrices = torch.stack([torch.stack(across, 1), torch.stack(upright, 1)], 1)  # (N, 2, 3)
        places = F.affine_grid(matrices, images.shape, align_corners=False)  # (N, 28, 28, 2)
        if self.bend:
            few = self.draw(images, 2 * 7 * 7).T.reshape(-1, 2, 7, 7) * self.bend / 14
            smooth = F.interpolate(few, size=(28, 28), mode="bicubic", align_corners=False)
            places = places + smooth.permute(0, 2, 3, 1)
        return F.grid_sample(images + 1, places, align_corners=False) - 1  # outside is paper: -1

    def draw(self, images, count):
        """Return numbers from -1 to 1, of shape (count, N)."""
        return torch.rand(count, len(images), device=images.device) * 2 - 1


@dataclass(frozen=True)
class Recipe:
    """How to train: as ``make_fast`` does, where nothing else is said.

    Attributes:
        network: called without arguments.
        rate: the highest learning rate, or the only one if it is ``constant``.
        smoothing: the share of each label that goes to all ten digits.
        vary: the module that changes the images, if they shall be changed.
        compiled: whether torch.compile fuses the operations of the network.
    """

    network: Callable
    epochs: int
    batch: int
    rate: float
    betas: tuple = (0.7, 0.9)
    constant: bool = False
    smoothing: float = 0.0
    vary: nn.Module | None = None
    compiled: bool = False


def prepare(recipe, steps, device):
    """Return the model, the optimizer and the scheduler of a recipe."""
    model, optimizer, scheduler = make_fast(steps, recipe.rate, device, recipe.network())
    if recipe.constant:
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.rate, fused=True)
        scheduler = LambdaLR(optimizer, lambda step: 1.0)
    optimizer.param_groups[0]["betas"] = recipe.betas
    return model, optimizer, scheduler


def load_data(folder, device):
    """Return {"train", "validation", "test": (images, labels)}; the first on the device."""
    data = {part: load_mnist(folder, part) for part in ("train", "validation", "test")}
    return data | {"train": tuple(tensor.to(device) for tensor in data["train"])}


def clock(device):
    """Return the time in seconds, when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def train(recipe, images, labels, seed):
    """Train with a recipe on the device that the images are on.

    Returns:
        tuple: the trained model, the seconds of training, and before them those of recording.
    """
    torch.manual_seed(seed)
    steps = recipe.epochs * (len(images) // recipe.batch)
    model, optimizer, scheduler = prepare(recipe, steps, images.device)
    network = model if recipe.vary is None else nn.Sequential(recipe.vary, model)
    if recipe.compiled:
        torch.compiler.reset()  # else it gives up after some networks of one kind
        network = torch.compile(network)
    criterion = partial(F.cross_entropy, label_smoothing=recipe.smoothing)
    before = clock(images.device)
    train_epoch = recorded_epoch(
        network, optimizer, scheduler, images, labels, recipe.batch, criterion
    )
    started = clock(images.device)
    for _ in range(recipe.epochs):
        train_epoch()
    return model, clock(images.device) - started, started - before
