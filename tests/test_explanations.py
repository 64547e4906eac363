"""Saliency, occlusion and Grad-CAM, as notebook 07 writes them, agree with captum."""

import pytest
import torch
from captum.attr import LayerGradCam, Occlusion, Saliency
from project import DATA
from project import taught as taught_in
from torch.nn.functional import conv_transpose2d

from mnist_helpers import CNN, load_mnist


@pytest.fixture(scope="module")
def taught():
    return taught_in(7, "saliency", "occlusion", "grad_cam")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return CNN().eval()


def examples():
    """Yield test images of shape (1, 1, 28, 28), each with its own digit and another one."""
    images, labels = load_mnist(DATA, "test")
    for image, label in zip(images[:2], labels[:2].tolist(), strict=True):
        for digit in [label, (label + 3) % 10]:
            yield image[None], digit


def assert_same(ours, captums):
    assert ours.shape == captums.shape
    assert not ours.requires_grad
    # Relative to the largest value: with an untrained network all of them are small.
    torch.testing.assert_close(ours, captums, rtol=1e-3, atol=1e-4 * captums.abs().max().item())


def test_saliency(taught, model):
    for image, digit in examples():
        captums = Saliency(model).attribute(image.clone().requires_grad_(), target=digit, abs=True)
        assert_same(taught.saliency(model, image, digit), captums[0, 0])


@pytest.mark.parametrize("size", [4, 7])
def test_occlusion(taught, model, size):
    for image, digit in examples():
        captums = Occlusion(model).attribute(
            image,
            sliding_window_shapes=(1, size, size),
            strides=1,
            baselines=-1,
            target=digit,
            perturbations_per_eval=100,
        )
        ours = taught.occlusion(model, image, digit, size)
        assert ours.shape == (29 - size, 29 - size)
        # captum gives each pixel the mean over all squares that cover it; so do we, here.
        square = torch.ones(1, 1, size, size)
        covers = conv_transpose2d(torch.ones_like(ours)[None, None], square)
        mean = conv_transpose2d(ours[None, None], square) / covers
        assert_same(mean[0, 0], captums[0, 0].float())


def test_grad_cam(taught, model):
    seen = 0
    for image, digit in examples():
        explainer = LayerGradCam(model, model.relu2)
        captums = explainer.attribute(image, target=digit, relu_attributions=True).detach()
        assert_same(taught.grad_cam(model, image, digit), captums[0, 0])
        seen = max(seen, captums.max().item())
    assert seen > 0, "all maps are empty, so nothing was compared"
