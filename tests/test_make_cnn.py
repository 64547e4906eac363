"""make_cnn, which notebook 12 writes, fits every size, channel and class that it promises."""

import pytest
import torch
from project import taught
from torch import nn

from mnist_helpers import CNN, make_loader, train_one_epoch


@pytest.fixture(scope="module")
def make_cnn():
    return taught(12, "make_cnn").make_cnn


@pytest.mark.parametrize("size", [*range(8, 41), 63, 64, 65, 128, 223, 224])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_size_and_channel(make_cnn, size, channels):
    network = make_cnn(channels, size, 5)
    logits = network(torch.randn(2, channels, size, size))
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("classes", [1, 2, 3, 10, 27, 100, 1000])
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 32), (4, 224)])
def test_every_number_of_classes(make_cnn, classes, channels, size):
    assert (
        make_cnn(channels, size, classes)(torch.zeros(1, channels, size, size)).shape[1] == classes
    )


@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 8, 2), (3, 13, 5), (4, 16, 5)])
def test_it_learns(make_cnn, channels, size, classes):
    """Each class has a grey of its own: a network that can learn anything learns that."""
    torch.manual_seed(0)
    labels = torch.arange(64) % classes
    images = (labels / classes)[:, None, None, None] + 0.01 * torch.randn(64, channels, size, size)
    network = make_cnn(channels, size, classes)
    loader = make_loader(images, labels, batch_size=16)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(20):
        train_one_epoch(network, loader, nn.CrossEntropyLoss(), optimizer)
    assert (network(images).argmax(dim=1) == labels).float().mean() > 0.8


def test_for_mnist_it_is_the_network_of_the_series(make_cnn):
    torch.manual_seed(0)
    network = make_cnn(1, 28, 10)
    torch.manual_seed(0)
    model = CNN()
    for mine, its in zip(network.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, its)
    images = torch.randn(4, 1, 28, 28)
    assert torch.equal(network(images), model(images))


@pytest.mark.parametrize("size", [7, 1, 0, -28])
def test_too_small_is_refused(make_cnn, size):
    with pytest.raises(ValueError, match=f"size must be 8 pixels or more, but is {size}"):
        make_cnn(1, size, 10)
