"""Fits an image into a square as in the training of yolov5: its longer side fills the square, grey fills the rest.

The arithmetic is that of training, including every rounding, so boxes fall on the same pixels.
"""

import numpy as np
from numpy.typing import NDArray

from models.images.area_resize import resize

GREY = 114  # of 255


def fit(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the (height, width) in pixels that an image is resized to for a square of `side`, at least 1 each.

    Fractions are dropped, even those from floating-point errors: the longer side may be one pixel short of the square.
    """
    longer = max(height, width)
    if longer == side:
        return height, width
    ratio = side / longer
    return max(1, int(height * ratio)), max(1, int(width * ratio))


def margin(length: int, side: int) -> int:
    """Return the grey pixels before a content of `length` pixels; there may be one more after it."""
    return (side - length) // 2


def corner(size: tuple[int, int], square: tuple[int, int]) -> tuple[int, int]:
    """Return the (top, left) of a content of `size` in a `square`, each as (height, width)."""
    return margin(size[0], square[0]), margin(size[1], square[1])


def fitted(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return an image, uint8 [h, w, 3], as large as it is in a square of `side`."""
    height, width = fit(image.shape[0], image.shape[1], side)
    return image if image.shape[:2] == (height, width) else resize(image, height, width)


def boxed(content: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return uint8 [side, side, 3] with an image that was fitted, uint8 [h, w, 3], in the middle."""
    height, width = content.shape[:2]
    square = np.full((side, side, 3), GREY, dtype=np.uint8)
    top, left = corner((height, width), (side, side))
    square[top : top + height, left : left + width] = content
    return square


def letterbox(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return uint8 [side, side, 3] with the image, uint8 [h, w, 3], in the middle, and its (height, width) there."""
    content = fitted(image, side)
    height, width = content.shape[:2]
    return boxed(content, side), (height, width)
