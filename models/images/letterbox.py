"""Fits a picture into a square as yolov5 was trained: its longer side fills the square, grey fills the rest.

The arithmetic is that of training to the last rounding, so boxes fall on the same pixels.
"""

import numpy as np
from numpy.typing import NDArray

from models.images.area_resize import resize

GREY = 114  # of 255


def fit(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the (height, width) in pixels that a picture is resized to for a square of `side`, at least 1 each.

    Fractions are dropped, even those that floating point makes: a longer side may end up one short of the square.
    """
    longer = max(height, width)
    if longer == side:
        return height, width
    ratio = side / longer
    return max(1, int(height * ratio)), max(1, int(width * ratio))


def margin(length: int, side: int) -> int:
    """Return the grey pixels before a content of `length` pixels; one more may follow after it than stands before."""
    return (side - length) // 2


def letterbox(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return uint8 [side, side, 3] with the picture, uint8 [h, w, 3], in its middle, and its (height, width) there."""
    height, width = fit(picture.shape[0], picture.shape[1], side)
    square = np.full((side, side, 3), GREY, dtype=np.uint8)
    top, left = margin(height, side), margin(width, side)
    content = picture if picture.shape[:2] == (height, width) else resize(picture, height, width)
    square[top : top + height, left : left + width] = content
    return square, (height, width)
