"""Images on which runtimes and precisions are compared: drawn, the same everywhere, with shades, edges and texture.

Noise alone would average out to the same grey when resized and show no difference.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

_SIZES = ((400, 300), (300, 420), (500, 240))
_BLOCKS = 8


def calibration_images(count: int) -> Iterator[Image.Image]:
    """Draw `count` images of mode RGB, wide and tall ones."""
    for seed in range(count):
        width, height = _SIZES[seed % len(_SIZES)]
        chance = np.random.default_rng(seed)
        x, y = np.linspace(0, 1, width)[None, :, None], np.linspace(0, 1, height)[:, None, None]
        across, down, phase = chance.uniform(-30, 30, (3, 3))
        values = chance.uniform(70, 180, 3) + 60 * np.sin(across * x + down * y + phase)
        for _ in range(_BLOCKS):
            left, top = chance.integers(0, width), chance.integers(0, height)
            wide, high = chance.integers(10, width // 2), chance.integers(10, height // 2)
            values[top : top + high, left : left + wide] = chance.uniform(0, 255, 3)
        values += chance.normal(0, 12, values.shape)
        yield Image.fromarray(values.clip(0, 255).astype(np.uint8))
