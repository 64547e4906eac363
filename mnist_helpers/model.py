"""The network of the tutorial (notebook 02), and the same in a faster order (13)."""

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


class FastCNN(CNN):
    """The ``CNN`` for fast training: same parameters, same names, less work.

    It pools before ReLU, and leaves out the outermost 24 of the 49 places of the last maps. Their
    weights are zero and stay so, hence it computes what a ``CNN`` with its ``state_dict`` does.
    """

    def __init__(self):
        super().__init__()
        middle = nn.functional.pad(torch.ones(5, 5), (1, 1, 1, 1))
        self.classifier.weight.data *= middle.flatten().repeat(32)

    def forward(self, images):
        maps = images[:, :, 1:27, 1:27]  # all that the 25 places in the middle depend on
        for convolution in (self.features[0], self.features[3]):
            maps = nn.functional.conv2d(maps, convolution.weight, convolution.bias)
            maps = nn.functional.max_pool2d(maps, 2).relu()  # (N, 16, 12, 12), (N, 32, 5, 5)
        weight = self.classifier.weight.view(10, 32, 7, 7)[:, :, 1:6, 1:6].flatten(1)
        return nn.functional.linear(maps.flatten(1), weight, self.classifier.bias)  # (N, 10)
