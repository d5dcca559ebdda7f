"""How training changes images for yolov5: four of them around a point, scaled and mirrored, as AutoML for Images does.

An image is only ever scaled and moved by whole pixels, so its boxes follow exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training.detection.true_objects import TrueObjects

_SCALES = 0.5, 1.5
_CHANCE = 0.5  # of mirroring
# An object that shows less of its box, or a box that is smaller, in pixels, is not to be found
_LEAST_VISIBLE, _LEAST_SIDE = 0.2, 2.0

Example = tuple[NDArray[np.uint8], TrueObjects]
"""An image, uint8 [h, w, 3], and its objects."""


@dataclass(frozen=True, slots=True)
class SquareObjects:
    """The objects in a square: `boxes` float64 [G, 4], left, top, right and bottom in pixels, within the square.

    `labels` int64 [G]. `crowd` bool [G].
    """

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a scaled image lies: its left top corner, perhaps outside of the square, and its size, in pixels."""

    left: int
    top: int
    width: int
    height: int


def paint(
    square: NDArray[np.uint8], examples: Sequence[Example], placements: Sequence[Placement], *, mirrored: bool
) -> SquareObjects:
    """Paint images into a square, uint8 [S, S, 3], mirror all of it, and return the objects that it shows."""
    side = len(square)
    boxes = []
    for (pixels, objects), place in zip(examples, placements, strict=True):
        _paint(square, pixels, place)
        size, corner = (place.width, place.height) * 2, (place.left, place.top) * 2
        boxes.append(objects.boxes * size + corner)
    whole = np.concatenate(boxes)
    seen = whole.clip(0, side)
    sides = seen[:, 2:] - seen[:, :2]
    kept = (sides.prod(1) > _LEAST_VISIBLE * (whole[:, 2:] - whole[:, :2]).prod(1)) & (sides > _LEAST_SIDE).all(1)
    if mirrored:
        square[:] = square[:, ::-1].copy()
        seen[:, [0, 2]] = side - seen[:, [2, 0]]
    labels, crowd = (
        np.concatenate(each) for each in zip(*((one.labels, one.crowd) for _, one in examples), strict=True)
    )
    return SquareObjects(seen[kept], labels[kept], crowd[kept])


def random_scale(rng: np.random.Generator) -> float:
    """Draw how large an image appears, relative to one that fills the square."""
    return float(rng.uniform(*_SCALES))


def random_mirror(rng: np.random.Generator) -> bool:
    """Draw whether an image is mirrored left to right."""
    return bool(rng.random() < _CHANCE)


def mosaic(
    rng: np.random.Generator, sizes: Sequence[tuple[int, int]], side: int, ratio: float, scale: float
) -> list[Placement]:
    """Place four images of these (height, width) around a random point, one in each direction.

    An image's pixels become `ratio` times as large, that is `scale` times as large as if it filled the square of
    `side`. The point lies at random in the square, before that is scaled about its middle.
    """
    x, y = (round(side * (0.5 + scale * rng.uniform(-0.5, 0.5))) for _ in range(2))
    placements = []
    for (height, width), (before, above) in zip(sizes, ((1, 1), (0, 1), (1, 0), (0, 0)), strict=True):
        across, down = max(1, round(width * ratio)), max(1, round(height * ratio))
        placements.append(Placement(x - before * across, y - above * down, across, down))
    return placements


def centred(size: tuple[int, int], side: int, ratio: float) -> Placement:
    """Place an image of this (height, width) in the middle of a square, its pixels `ratio` times as large."""
    height, width = (max(1, round(length * ratio)) for length in size)
    return Placement((side - width) // 2, (side - height) // 2, width, height)


def _paint(square: NDArray[np.uint8], pixels: NDArray[np.uint8], place: Placement) -> None:
    side = len(square)
    seen = square[max(place.top, 0) : place.top + place.height, max(place.left, 0) : place.left + place.width]
    if place.top >= side or place.left >= side or min(place.top + place.height, place.left + place.width) <= 0:
        return
    content = resized(pixels, place.height, place.width)
    seen[:] = content[max(-place.top, 0) :, max(-place.left, 0) :][: seen.shape[0], : seen.shape[1]]


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize an image, uint8 [h, w, 3], linearly and without aliasing; several times as fast as in scoring."""
    if pixels.shape[:2] == (height, width):
        return pixels
    # PyTorch warns of arrays that cannot be written to, such as those of a file
    planes = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
    scaled = functional.interpolate(planes, size=(height, width), mode="bilinear", antialias=True)
    return scaled[0].permute(1, 2, 0).numpy()
