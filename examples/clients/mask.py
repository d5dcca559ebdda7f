"""The mask of an object, from the outlines in a reply; needs numpy and Pillow."""

from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from examples.clients.client import Detection

_CORNERS = 3  # the fewest of an outline with an area


def mask_of(one: Detection, size: tuple[int, int]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return the mask in an image of `size` (width, height): bool [height, width], true where the object is.

    What an odd number of outlines covers belongs to the object, so that holes stay empty.
    """
    mask = Image.new("1", size)
    for outline in one.polygon:
        corners = [(outline[at] * size[0], outline[at + 1] * size[1]) for at in range(0, len(outline) - 1, 2)]
        if len(corners) >= _CORNERS:
            covered = Image.new("1", size)
            ImageDraw.Draw(covered).polygon(corners, fill=1)
            mask = ImageChops.logical_xor(mask, covered)
    return np.array(mask)
