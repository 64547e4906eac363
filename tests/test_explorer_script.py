"""The explorer's JavaScript, run by Node, against what PyTorch and Python compute."""

import itertools
import json
import os
import shutil
import subprocess
import zlib
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from photographs import CONDITIONS, photograph
from PIL import Image
from quick import DATA, train
from strokes import drawings

from mnist_helpers import CNN, activations, load_mnist, predict, to_mnist
from mnist_helpers.explorer import network_of, normalized, own_digits, pack, weights_text

TESTS = Path(__file__).parent
IMAGES, RANDOM, LAYERED, DRAWINGS = 1000, 200, 50, 1000
PHOTOGRAPHS = 6  # in each condition


def write_floats(path, tensor):
    path.write_bytes(tensor.detach().contiguous().float().numpy().astype("<f4").tobytes())


@torch.inference_mode()
def write_network(folder, name, model, images):
    """Write what a network makes of the images; return its weights as text."""
    cnn = CNN()
    cnn.load_state_dict(model.state_dict())
    write_floats(folder / f"{name}.logits.f32", predict(model, images))
    for layer, values in activations(cnn, images[:LAYERED]).items():
        write_floats(folder / f"{name}.{layer}.f32", values)
    cnn.conv1.weight[3], cnn.conv1.bias[3] = 0, 0
    cnn.conv2.weight[7:9], cnn.conv2.bias[7:9] = 0, 0
    write_floats(folder / f"{name}.off.f32", predict(cnn, images[:1]))
    return weights_text(network_of(model))


def prepare_all(pictures):
    """Return what ``to_mnist`` makes of pictures, and the refusals, '' for none."""
    prepared, refusals = [], []
    for picture in pictures:
        try:
            prepared.append(to_mnist(picture))
            refusals.append("")
        except ValueError as error:
            prepared.append(torch.zeros(1, 28, 28))
            refusals.append(str(error))
    return torch.stack(prepared), refusals


def write_drawings(folder):
    """Write drawings, and what ``to_mnist`` makes of them; return the refusals."""
    sheets = drawings(DRAWINGS)
    prepared, refusals = prepare_all(sheets)
    (folder / "drawings.u8").write_bytes(sheets.numpy().tobytes())
    write_floats(folder / "prepared.f32", prepared)
    return refusals


def with_clear_paper(file):
    """Return a photograph as an image whose paper is clear, as a drawing program saves it."""
    grey = np.array(Image.open(file).convert("L"))
    ink = np.stack([grey // 4, grey // 3, grey // 2, 255 - grey], axis=2)
    return Image.fromarray(ink, "RGBA")


def write_photographs(folder, digits):
    """Write photographs in all conditions as RGBA; return the refusals of each condition."""
    refusals = {}
    pairs = torch.cat([digits, digits.roll(1, 0)], dim=2)
    for number, (condition, settings) in enumerate(
        {**CONDITIONS, "two digits": {"height": 130}, "clear paper": {}}.items()
    ):
        shapes = pairs if condition == "two digits" else digits
        files = [
            photograph(shape.numpy(), np.random.default_rng(1000 * number + place), **settings)
            for place, shape in enumerate(shapes)
        ]
        pictures = [
            with_clear_paper(file) if condition == "clear paper" else Image.open(file)
            for file in files
        ]
        prepared, refusals[condition] = prepare_all(pictures)
        with (folder / f"{condition}.u8").open("wb") as all_pixels:
            for picture in pictures:
                all_pixels.write(picture.convert("RGBA").tobytes())
        write_floats(folder / f"{condition}.f32", prepared)
    return refusals


def sizes():
    """Return [input, kernel, stride, padding, dilation, output size] as PyTorch has them."""
    found = []
    settings = itertools.product((5, 7, 12), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2))
    for size, kernel, stride, padding, dilation in settings:
        if dilation * (kernel - 1) + 1 > size + 2 * padding:
            continue
        blank = torch.zeros(1, 1, size, size, device="meta")
        weight = torch.zeros(1, 1, kernel, kernel, device="meta")
        maps = torch.nn.functional.conv2d(blank, weight, None, stride, padding, dilation)
        found.append([size, kernel, stride, padding, dilation, maps.shape[-1]])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the scripts compare: images, networks, drawings, colours."""
    folder = tmp_path_factory.mktemp("fixtures")
    test_images, _ = load_mnist(DATA, "test")
    generator = torch.Generator().manual_seed(0)
    random_images = torch.randn(RANDOM, 1, 28, 28, generator=generator)
    images = torch.cat([test_images[: IMAGES - LAYERED // 2], random_images, test_images[-25:]])
    images = torch.cat([images[-25:], images[-225:-200], images[:-25][: IMAGES + RANDOM - 25]])
    write_floats(folder / "images.f32", images)
    models = {f"network {i}": train(i, rate) for i, rate in enumerate([0.01, 0.003, 0.02])}
    digits, _ = own_digits()
    write_floats(folder / "digits.f32", normalized(digits))
    about = {"images": len(images), "layered": LAYERED, "drawings": DRAWINGS}
    about["weights"] = {n: write_network(folder, n, m, images) for n, m in models.items()}
    about["checksums"] = {n: zlib.adler32(b64decode(w)) for n, w in about["weights"].items()}
    about["refusals"] = write_drawings(folder)
    photographed = (test_images[8100 : 8100 + PHOTOGRAPHS, 0] + 1) / 2
    about["photographs"] = write_photographs(folder, photographed)
    about["digits"] = pack(digits)
    about["sizes"] = sizes()
    about["colors"] = {
        name: colormaps[name](range(256), bytes=True)[:, :3].flatten().tolist()
        for name in ("RdBu_r", "viridis", "gray")
    }
    (folder / "about.json").write_text(json.dumps(about))
    yield folder
    for pixels in folder.glob("*.u8"):  # 120 MB
        pixels.unlink()


def test_scripts(folder):
    node = shutil.which("node")
    if node is None:
        missing = "no Node here, and the explorer's JavaScript is tested with it: install nodejs"
        pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
    scripts = sorted(map(str, (TESTS / "explorer").glob("*.test.mjs")))
    command = [node, "--test", "--test-reporter=tap", *scripts]
    env = os.environ | {"FIXTURES": str(folder)}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    said = [line for line in run.stdout.splitlines() if "differ by" in line or "# skipped" in line]
    print(*said, sep="\n")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# skipped 0" in run.stdout and "# pass 0" not in run.stdout


def test_digits_are_the_first_test_images():
    digits, labels = own_digits()
    images, expected = load_mnist(DATA, "test")
    assert torch.equal(normalized(digits), images[:48, 0])
    assert labels == expected[:48].tolist()
