"""The network of the tutorial. Notebook 02 explains every line."""

import torch
from torch import nn


class CNN(nn.Module):
    """Two convolutions and one linear layer: 20,490 parameters.

    ``features`` turns images of shape (N, 1, 28, 28) into maps of shape (N, 32, 7, 7);
    ``classifier`` turns those into logits of shape (N, 10), one for each digit.

    Raises:
        ValueError: when called with images of another shape, or not floating point.
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),  # (N, 16, 28, 28)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 16, 14, 14)
            nn.Conv2d(16, 32, kernel_size=3, padding=1),  # (N, 32, 14, 14)
            nn.ReLU(),
            nn.MaxPool2d(2),  # (N, 32, 7, 7)
        )
        self.classifier = nn.Linear(32 * 7 * 7, 10)

    def forward(self, images):
        if images.shape[1:] != (1, 28, 28) or not torch.is_floating_point(images):
            raise ValueError(
                "CNN expects floating-point images of shape (N, 1, 28, 28), "
                f"but got {images.dtype} of shape {tuple(images.shape)}"
            )
        maps = self.features(images)
        return self.classifier(maps.flatten(1))  # (N, 10)
