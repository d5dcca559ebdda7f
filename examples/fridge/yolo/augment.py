"""Augmentation for yolov5: a scene scaled, shifted and mirrored at random within the square that the network sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.fridge.labelled_scene import LabelledScene
from models.images.area_resize import resize
from models.images.letterbox import GREY

# The scene's longer side as a share of the square's; serving uses 1
_SCALES = (0.8, 1.35)
# An object that keeps a smaller share of its box inside the square is no longer a target
_LEAST_LEFT = 0.4


@dataclass(frozen=True, slots=True)
class AugmentedScene:
    """A square of n pixels a side, as the network takes it.

    image: uint8 (n, n, 3) RGB. labels: int64 (N,), indexes into LABELS. boxes: float32 (N, 4), left, top, right,
    bottom in pixels.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]


def augment(rng: np.random.Generator, scene: LabelledScene, pixels: int) -> AugmentedScene:
    """Place a scene at random in a square of `pixels`; return it with the objects left in it, perhaps none."""
    image, boxes = _scaled(scene, pixels / max(scene.image.shape) * rng.uniform(*_SCALES))
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        image, boxes = image[:, ::-1], np.array([width, 0, width, 0]) + boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1]
    top, left = (_place(rng, length, pixels) for length in (height, width))
    square = np.full((pixels, pixels, 3), GREY, dtype=np.uint8)
    shown = square[max(top, 0) : top + height, max(left, 0) : left + width]
    shown[:] = image[max(-top, 0) :, max(-left, 0) :][: shown.shape[0], : shown.shape[1]]
    whole = boxes + np.array([left, top, left, top])
    inside = whole.clip(0, pixels)
    kept = _areas(inside) >= _LEAST_LEFT * _areas(whole)
    return AugmentedScene(square, scene.labels[kept], inside[kept].astype(np.float32))


def _scaled(scene: LabelledScene, ratio: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    height, width = scene.image.shape[:2]
    size = max(1, round(height * ratio)), max(1, round(width * ratio))
    across, down = size[1] / width, size[0] / height
    return resize(scene.image, *size), scene.boxes * np.array([across, down, across, down])


def _place(rng: np.random.Generator, length: int, pixels: int) -> int:
    """Return where a side of `length` begins: inside the square if it fits, else so that it covers the square."""
    return int(rng.integers(min(0, pixels - length), max(0, pixels - length), endpoint=True))


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
