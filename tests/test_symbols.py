"""The drawn symbols of notebook 12 are complete, small, and travel with the package."""

from importlib import resources
from pathlib import Path

from PIL import Image
from torchvision.datasets import ImageFolder

from mnist_helpers import to_mnist

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
