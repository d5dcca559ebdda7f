"""How training changes images with boxes and masks: it crops, expands and mirrors them, as AutoML for Images does.

Each of these looks at the image through a window, so boxes, masks and pixels follow from the same few numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.images.preprocess import Statistics
from training.detection.shapes import drawn
from training.detection.true_objects import TrueObjects

_CHANCE = 0.5  # of each decision
_LEAST_AREA = 0.6  # of a crop, as a share of the image
_ASPECTS = 0.5, 2.0  # of a crop
_TRIES = 50
_LARGEST_CANVAS = 2.0  # times each side of the image
_FILL = torch.tensor([round(255 * value) for value in Statistics().mean], dtype=torch.uint8)


@dataclass(frozen=True, slots=True)
class Window:
    """What is seen of an image, in its pixels; it may reach beyond the image. `flipped` mirrors it left to right."""

    left: int
    top: int
    width: int
    height: int
    flipped: bool = False

    def boxes(self, boxes: NDArray[np.float64], image: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
        """Convert boxes [G, 4] from shares of an image to pixels of the window, cut at its edges.

        `image` is the (height, width) of the image in pixels, `size` that at which the window is seen.
        """
        offset, scale = self._affine(image, size)
        seen = (boxes * np.tile(scale, 2) + np.tile(offset, 2)).clip(0, (size[1], size[0]) * 2)
        if self.flipped:
            seen[:, [0, 2]] = size[1] - seen[:, [2, 0]]
        return seen

    def masks(self, objects: TrueObjects, image: tuple[int, int], size: tuple[int, int]) -> NDArray[np.bool_]:
        """Draw the pixels of objects as the window shows them, bool [G, height, width]."""
        offset, scale = self._affine(image, size)
        # shapes are in shares of the whole image, of which `image` may be a part
        left, top, right, bottom = objects.part
        scale = scale / (right - left, bottom - top)
        offset = offset - scale * (left, top)
        masks = np.zeros((len(objects), *size), np.bool_)
        for mask, shape in zip(masks, objects.shapes, strict=True):
            mask[:] = drawn(shape, offset, scale, size)
        return np.ascontiguousarray(masks[:, :, ::-1]) if self.flipped else masks

    def pixels(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Return what is seen of an image, uint8 [H, W, 3], as uint8 [3, *size], channels last in memory.

        Beyond the image is the mean colour of ImageNet. It is resized as scoring resizes, without antialiasing.
        """
        seen = torch.from_numpy(self._cut(image)).permute(2, 0, 1)
        if seen.shape[1:] != size:
            seen = functional.interpolate(seen[None], size=size, mode="bilinear", align_corners=False)[0]
        return seen.flip(2) if self.flipped else seen

    def _cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # copied, since decoded images must not be written to
        x, y = slice(max(self.left, 0), self.left + self.width), slice(max(self.top, 0), self.top + self.height)
        part = image[y, x]
        if part.shape[:2] == (self.height, self.width):
            return part.copy()
        canvas = np.empty((self.height, self.width, 3), np.uint8)
        canvas[:] = _FILL.numpy()
        row, column = max(-self.top, 0), max(-self.left, 0)
        canvas[row : row + part.shape[0], column : column + part.shape[1]] = part
        return canvas

    def _affine(self, image: tuple[int, int], size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what to add, and to multiply by before, to get from shares of the image to pixels: x and y each."""
        zoom = np.array([size[1] / self.width, size[0] / self.height])
        return -zoom * (self.left, self.top), zoom * (image[1], image[0])


def whole_window(image: tuple[int, int]) -> Window:
    """Return the window that shows all of an image of this (height, width)."""
    return Window(0, 0, image[1], image[0])


def random_window(rng: np.random.Generator, image: tuple[int, int], boxes: NDArray[np.float64]) -> Window:
    """Draw a window on an image of this (height, width) in pixels, in which all boxes, shares of it, are whole.

    Half of all windows show the image as it is. Of the others, half are crops and half show it on a larger canvas. Half
    of all are mirrored.
    """
    window = whole_window(image)
    if rng.random() < _CHANCE:
        window = _crop(rng, image, boxes) if rng.random() < _CHANCE else _expansion(rng, image)
    flipped = bool(rng.random() < _CHANCE)
    return Window(window.left, window.top, window.width, window.height, flipped)


def _crop(rng: np.random.Generator, image: tuple[int, int], boxes: NDArray[np.float64]) -> Window:
    """Draw a crop with all boxes; the whole image where none is found."""
    height, width = image
    # the edges that a crop must not pass, in whole pixels
    low = np.floor(boxes[:, :2].min(0) * (width, height)) if len(boxes) else np.array([width, height])
    high = np.ceil(boxes[:, 2:].max(0) * (width, height)) if len(boxes) else np.zeros(2)
    for _ in range(_TRIES):
        area, aspect = rng.uniform(_LEAST_AREA, 1) * width * height, np.exp(rng.uniform(*np.log(_ASPECTS)))
        sides = np.rint([np.sqrt(area * aspect), np.sqrt(area / aspect)])
        first = np.maximum(high - sides, 0)
        last = np.minimum(low, (width, height) - sides)
        if (sides >= 1).all() and (first <= last).all():
            left, top = (int(rng.integers(int(one), int(other) + 1)) for one, other in zip(first, last, strict=True))
            return Window(left, top, int(sides[0]), int(sides[1]))
    return whole_window(image)


def _expansion(rng: np.random.Generator, image: tuple[int, int]) -> Window:
    height, width = image
    factor = rng.uniform(1, _LARGEST_CANVAS)
    wide, high = int(width * factor), int(height * factor)
    return Window(-int(rng.integers(0, wide - width + 1)), -int(rng.integers(0, high - height + 1)), wide, high)
