"""Random crops for the classifier: a close-up of the object, or nearly the whole scene."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from examples.fridge.labelled_image import DrawnImage

# Side of the square: in object sizes for a close-up, in image heights for a scene
_CLOSEUP = (1.0, 1.5)
_SCENE = (0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Crop:
    """A square crop: image uint8 (n, n, 3) RGB; class_map uint8 (n // 4, n // 4), as in DrawnImage."""

    image: NDArray[np.uint8]
    class_map: NDArray[np.uint8]


def random_crop(rng: np.random.Generator, labelled: DrawnImage, pixels: int, closeup: bool) -> Crop:
    """Crop a random square, scale it to `pixels` as serving does, and mirror every other one."""
    square = _around_object(rng, labelled) if closeup else _around_middle(rng, labelled)
    image = Image.fromarray(labelled.image).resize((pixels, pixels), Image.Resampling.BILINEAR, box=square)
    class_map = Image.fromarray(labelled.class_map).resize(
        (pixels // 4, pixels // 4), Image.Resampling.NEAREST, box=square
    )
    side = -1 if rng.random() < 0.5 else 1
    return Crop(np.asarray(image)[:, ::side], np.asarray(class_map)[:, ::side])


def _around_object(rng: np.random.Generator, labelled: DrawnImage) -> tuple[float, float, float, float]:
    left, top, right, bottom = labelled.box
    height, width = labelled.class_map.shape
    side = min(max(right - left, bottom - top) * rng.uniform(*_CLOSEUP), height, width)
    x = (left + right) / 2 + rng.uniform(-0.5, 0.5) * max(side - (right - left), 0.0)
    y = (top + bottom) / 2 + rng.uniform(-0.5, 0.5) * max(side - (bottom - top), 0.0)
    return _square(x, y, side, width, height)


def _around_middle(rng: np.random.Generator, labelled: DrawnImage) -> tuple[float, float, float, float]:
    height, width = labelled.class_map.shape
    side = min(height, width) * rng.uniform(*_SCENE)
    x = width / 2 + rng.uniform(-0.06, 0.06) * height
    return _square(x, rng.random() * height, side, width, height)


def _square(x: float, y: float, side: float, width: int, height: int) -> tuple[float, float, float, float]:
    left = min(max(x - side / 2, 0.0), width - side)
    top = min(max(y - side / 2, 0.0), height - side)
    return left, top, left + side, top + side
