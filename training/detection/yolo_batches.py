"""YoloBatches: makes the batches of yolov5's training from images that were decoded before."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.images.letterbox import GREY
from models.networks.yolov5 import STRIDES
from training.augmentation.mosaic import (
    SquareObjects,
    centred,
    mosaic,
    paint,
    random_mirror,
    random_scale,
)
from training.detection.examples import DetectorExample
from training.detection.yolo_targets import YoloTargets
from training.progressive_sizes import DETECTOR_STAGES, share_of_side
from training.recipe import StepPlan

CELL = STRIDES[-1]
_IMAGES = 4  # of a mosaic
# Images of changing size: from which to which share of the side
_MULTI_SCALE = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class YoloBatch:
    """`images`: uint8 [N, 3, S, S] in [0, 255], channels last in memory. `targets`: their objects."""

    images: Tensor
    targets: YoloTargets


@dataclass(frozen=True, slots=True)
class YoloBatches:
    """Examples, the longer side of each of which fills a square of `side` pixels, and what is done to them.

    `mosaics` puts four images together; `augmented` scales and mirrors them. With `multi_scale` each batch has a size
    of its own. With `progressive` most steps see small images, which cost less, and the last ones the full size.
    """

    examples: Sequence[DetectorExample]
    side: int
    mosaics: bool = False
    augmented: bool = False
    multi_scale: bool = False
    progressive: bool = False

    def batch(self, plan: StepPlan) -> YoloBatch:
        """Return the batch of a step."""
        side = self.side_of(plan)
        squares = np.full((len(plan.indexes), side, side, 3), GREY, np.uint8)
        painted = [
            self._paint(square, int(index), rng)
            for square, index, rng in zip(squares, plan.indexes, plan.rngs, strict=True)
        ]
        return YoloBatch(torch.from_numpy(squares).permute(0, 3, 1, 2), _targets(painted))

    def side_of(self, plan: StepPlan) -> int:
        """Return the side of a step's images in pixels, a multiple of the coarsest cell, at least two of them."""
        cells = self.side // CELL
        least = min(2, cells)
        if self.progressive:
            cells = max(least, round(cells * share_of_side(DETECTOR_STAGES, plan.progress)))
        if self.multi_scale:
            low, high = math.ceil(cells * _MULTI_SCALE[0]), math.floor(cells * _MULTI_SCALE[1])
            cells = int(plan.shared.integers(max(least, low), max(least, high), endpoint=True))
        return cells * CELL

    def _paint(self, square: NDArray[np.uint8], index: int, rng: np.random.Generator) -> SquareObjects:
        side = len(square)
        scale = random_scale(rng) if self.augmented else 1.0
        ratio = scale * side / self.side
        indexes = [index]
        if self.mosaics:
            indexes += rng.integers(len(self.examples), size=_IMAGES - 1).tolist()
        examples = [(self.examples[each].pixels, self.examples[each].objects) for each in indexes]
        sizes = [(pixels.shape[0], pixels.shape[1]) for pixels, _ in examples]
        placements = mosaic(rng, sizes, side, ratio, scale) if self.mosaics else [centred(sizes[0], side, ratio)]
        return paint(square, examples, placements, mirrored=self.augmented and random_mirror(rng))


def _targets(painted: Sequence[SquareObjects]) -> YoloTargets:
    images = np.repeat(np.arange(len(painted)), [len(each.labels) for each in painted])
    labels, crowd, boxes = (
        np.concatenate([getattr(each, name) for each in painted]) for name in ("labels", "crowd", "boxes")
    )
    first, last = boxes[:, :2], boxes[:, 2:]
    centres = torch.from_numpy(np.concatenate([(first + last) / 2, last - first], 1).astype(np.float32))
    owners, kinds, many = torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(crowd)
    return YoloTargets(owners[~many], kinds[~many], centres[~many], owners[many], centres[many])
