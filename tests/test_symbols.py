"""The drawn symbols of notebook 12 are complete, small, and travel with the package."""

import tomllib
from importlib import resources
from pathlib import Path

from PIL import Image
from torchvision.datasets import ImageFolder

from mnist_helpers import to_mnist

ROOT = Path(__file__).parents[1]
SYMBOLS = resources.files("mnist_helpers") / "drawings" / "symbols"
CLASSES = ["circle", "cross", "square", "star", "triangle"]


def test_forty_pictures_of_each_symbol():
    dataset = ImageFolder(SYMBOLS)
    assert dataset.classes == CLASSES
    assert [dataset.targets.count(kind) for kind in range(5)] == [40] * 5
    assert len({picture.tobytes() for picture, _ in dataset}) == 200, "a picture occurs twice"


def test_each_picture_is_small_and_can_be_read():
    paths = sorted(Path(str(SYMBOLS)).glob("*/*"))
    assert len(paths) == 200
    assert sum(path.stat().st_size for path in paths) < 200_000
    for path in paths:
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("PNG", (40, 40))
        assert to_mnist(path).shape == (1, 28, 28)


def test_the_package_takes_its_pictures_along():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    globs = settings["setuptools"]["package-data"]["*"]
    package = ROOT / "mnist_helpers"
    folders = [package, package / "explorer"]
    taken = {path for folder in folders for pattern in globs for path in folder.glob(pattern)}
    assert set(package.rglob("*.png")) <= taken
