"""Images that tests send: reproducible, with shapes and shades in them, in any encoding."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.images.decoding import ImageLimits

Pixels = NDArray[np.uint8]
LIMITS = ImageLimits(10**8, 10**8)


def painted(seed: int, width: int, height: int) -> Pixels:
    """Paint an image, uint8 [height, width, 3]: soft shades, some blocks of colour, a little noise.

    Noise alone would average out to the same grey when it is resized, whatever the seed.
    """
    random = np.random.default_rng(seed)
    x, y = np.linspace(0, 1, width)[None, :, None], np.linspace(0, 1, height)[:, None, None]
    across, down, phase = random.uniform(-9, 9, 3), random.uniform(-9, 9, 3), random.uniform(0, 6, 3)
    values = random.uniform(60, 196, 3) + 55 * np.sin(across * x + down * y + phase)
    for _ in range(6):
        left, top = int(random.uniform(0, width)), int(random.uniform(0, height))
        wide, high = (1 + int(random.uniform(0, side / 2)) for side in (width, height))
        values[top : top + high, left : left + wide] = random.uniform(0, 255, 3)
    values += random.normal(0, 6, values.shape)
    pixels: Pixels = values.clip(0, 255).astype(np.uint8)
    return pixels


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    """Return random pixels, uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image | Pixels, form: str, **options: Any) -> bytes:
    """Encode an image with Pillow; `form` and `options` are those of Image.save."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    stream = BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()
