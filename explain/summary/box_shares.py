"""BoxShare: how much of a map lies inside the boxes that people have drawn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.encodings.turning import back, turned, turned_size
from data.record import LabelledImage, LabelledObject
from explain.summary.image_maps import SIDE, Maps
from explain.summary.images import SummaryImage
from models.images.preprocess import Preprocess
from models.labels import named

_FINER = 4  # parts of a cell, across and down, in which a box is drawn


@dataclass(frozen=True, slots=True)
class BoxShare:
    """`inside` is the share of a map inside of boxes, `area` the share of the crop that they take: the floor.

    Both are from 0 to 1. A map that says nothing about the boxes has as much inside as they take.
    """

    inside: float
    area: float


@dataclass(frozen=True, slots=True)
class BoxGrid:
    """Finds the cells of a map that boxes cover.

    `labels` are the names of the model's labels. `turned` says that boxes are of images as EXIF turns them; the network
    sees images as `preprocess` says.
    """

    preprocess: Preprocess
    labels: Collection[str]
    turned: bool = False

    def share(self, image: SummaryImage, label: str, values: Maps) -> BoxShare | None:
        """Return how much of a map, float32 [SIDE, SIDE] and not 0 everywhere, lies inside the label's boxes.

        Where no box of the image has a label of the model, all of them count. None where none does, or none is in the
        crop that the network sees.
        """
        objects = [each for each in image.objects if named(each.label) == label]
        if not objects and not any(named(each.label) in self.labels for each in image.objects):
            objects = list(image.objects)
        covered = self._covered(image, objects)
        if not covered.any():
            return None
        return BoxShare(float((values * covered).sum() / values.sum()), float(covered.mean()))

    def _covered(self, image: SummaryImage, objects: Sequence[LabelledObject]) -> NDArray[np.float64]:
        """Return how much of each cell is inside any box, from 0 to 1: [SIDE, SIDE]."""
        exif = self.preprocess.statistics.exif
        seen = LabelledImage(image.name, image.line, objects=tuple(replace(each, mask=None) for each in objects))
        if exif != self.turned:
            seen = turned(seen, image.orientation if exif else back(image.orientation))
        width, height = turned_size(image.size, image.orientation) if exif else image.size
        left, top, right, bottom = self.preprocess.box(width, height)
        fine = np.zeros((SIDE * _FINER, SIDE * _FINER))
        for each in seen.objects:
            x = _cells((each.box[0], each.box[2]), width, left, right)
            y = _cells((each.box[1], each.box[3]), height, top, bottom)
            fine[y, x] = 1
        return np.asarray(fine.reshape(SIDE, _FINER, SIDE, _FINER).mean((1, 3)))


def _cells(ends: tuple[float, float], size: int, low: float, high: float) -> slice:
    """Return the fine cells between two shares of a side of `size` pixels, of which the crop has `low` to `high`."""
    start, stop = (round((end * size - low) / (high - low) * SIDE * _FINER) for end in ends)
    return slice(min(max(start, 0), SIDE * _FINER), min(max(stop, 0), SIDE * _FINER))


def mean_share(shares: Sequence[BoxShare]) -> BoxShare | None:
    """Return the means over some images; None where there are none."""
    if not shares:
        return None
    return BoxShare(
        float(np.mean([share.inside for share in shares])), float(np.mean([share.area for share in shares]))
    )
