"""What notebook 03 says in a footnote: ToTensor and v2 differ in the last bit, and no further."""

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import ToTensor, v2

ALL_BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16)
SCALE = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def test_the_older_transform_differs_for_about_half_of_the_bytes_and_hardly():
    older, newer = ToTensor()(Image.fromarray(ALL_BYTES)), SCALE(Image.fromarray(ALL_BYTES))
    assert older.shape == newer.shape == (1, 16, 16)
    assert 100 <= (older != newer).sum() <= 156
    assert (older - newer).abs().max() < 1e-7


def test_all_images_at_once_are_the_same_as_one_by_one():
    pictures = torch.from_numpy(ALL_BYTES).reshape(4, 1, 8, 8)
    transform = v2.Compose([SCALE, v2.Normalize((0.5,), (0.5,))])
    one_by_one = [transform(Image.fromarray(picture[0].numpy())) for picture in pictures]
    assert torch.equal(transform(pictures), torch.stack(one_by_one))
