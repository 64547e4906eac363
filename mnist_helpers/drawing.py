"""The drawing pad, which is part of the explorer now."""

from mnist_helpers.explorer import DigitPad

__all__ = ["DigitPad"]
