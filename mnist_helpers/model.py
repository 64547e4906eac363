"""The network of the lesson (notebook 02)."""

import torch
from torch import nn


def check_images(images):
    """Raise ``ValueError`` unless these are floating-point images of shape (N, 1, 28, 28).

    Images of 29 × 29 pixels would pass through the network in silence: pooling drops what is left
    over.
    """
    if images.shape[1:] != (1, 28, 28) or not torch.is_floating_point(images):
        raise ValueError(
            "CNN expects floating-point images of shape (N, 1, 28, 28), "
            f"but got {images.dtype} of shape {tuple(images.shape)}"
        )


class CNN(nn.Module):
    """Two convolutions and one linear layer: 20,490 parameters.

    Turns floating-point images of shape (N, 1, 28, 28) into logits of shape (N, 10), one for each
    digit.

    Raises:
        ValueError: when called with images of another shape, or not floating point.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)  # (N, 16, 28, 28)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)  # (N, 16, 14, 14)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)  # (N, 32, 14, 14)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)  # (N, 32, 7, 7)
        self.fc = nn.Linear(32 * 7 * 7, 10)  # (N, 10)

    def forward(self, images):
        check_images(images)
        maps = self.pool1(self.relu1(self.conv1(images)))
        maps = self.pool2(self.relu2(self.conv2(maps)))
        return self.fc(maps.flatten(1))


def activations(model, images):
    """Return what each layer of a ``CNN`` makes of the images: {layer name: output}, in order.

    Args:
        images: floating point, of shape (N, 1, 28, 28).
    """
    outputs, maps = {}, images
    for name, layer in model.named_children():
        if name == "fc":
            maps = maps.flatten(1)  # (N, 1568)
        maps = layer(maps)
        outputs[name] = maps
    return outputs
