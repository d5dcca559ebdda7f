"""What stands in hidden places of an image, by the names of baselines; without a network."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from explain.request.parameter_types import BaselineName

FILLS: frozenset[BaselineName] = frozenset({"black", "white", "blur", "image_min", "image_max"})

_BLUR = 1 / 16  # standard deviation as a share of the shorter side: no object can be recognised


def fill(name: BaselineName, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the fill of FILLS for an image, uint8 [H, W, 3]: float32 [H, W, 3] in [0, 255]; KeyError for another.

    - `black` and `white`
    - `blur`: the image, blurred
    - `image_min` and `image_max`: filled with the lowest or highest value of any channel of the image
    """
    if name == "blur":
        sigma = min(pixels.shape[:2]) * _BLUR
        blurred = ndimage.gaussian_filter(pixels.astype(np.float32), (sigma, sigma, 0), mode="nearest")
        return np.asarray(blurred, np.float32)
    value = {"black": 0, "white": 255, "image_min": pixels.min(), "image_max": pixels.max()}[name]
    return np.full(pixels.shape, value, np.float32)
