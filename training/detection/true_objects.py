"""TrueObjects: the objects that somebody marked in an image or in a part of it, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.record import LabelledImage, Outline, RunLengths
from models.images.tiling import Tile
from models.labels import Label

Shape = tuple[Outline, ...] | RunLengths
"""The pixels of an object: the outlines of its parts, as shares of the image, or a mask of the whole image."""

# The share of its box that an object must show in a tile to be learned there
LEAST_VISIBLE = 0.3


@dataclass(frozen=True, slots=True)
class TrueObjects:
    """The objects of an image, or of a part of it.

    `boxes` float64 [G, 4]: left, top, right and bottom as shares of what is seen, within [0, 1]. `labels` int64 [G],
    indexes into the labels of the run. `crowd` bool [G]. `shapes`, one each, are those of the whole image. `part` is
    what is seen of it: left, top, right and bottom as shares.
    """

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    shapes: tuple[Shape, ...]
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def __len__(self) -> int:
        return len(self.labels)

    def in_tile(self, tile: Tile, size: tuple[int, int]) -> "TrueObjects":
        """Return the objects that a tile shows, cut at its edges; `size` is the (width, height) of the image.

        An object of which the tile shows little is left out, as nobody could tell what it is.
        """
        scale = np.array(size * 2)
        edges = np.array([tile.left, tile.top, tile.right, tile.bottom]) / scale
        cut = self.boxes.clip(np.tile(edges[:2], 2), np.tile(edges[2:], 2))
        visible = _areas(cut) > LEAST_VISIBLE * _areas(self.boxes)
        boxes = (cut[visible] - np.tile(edges[:2], 2)) / np.tile(edges[2:] - edges[:2], 2)
        shapes = tuple(shape for shape, kept in zip(self.shapes, visible, strict=True) if kept)
        left, top, right, bottom = edges.tolist()
        return TrueObjects(boxes, self.labels[visible], self.crowd[visible], shapes, (left, top, right, bottom))


def true_objects(image: LabelledImage, labels: Sequence[Label]) -> TrueObjects:
    """Return the objects of a checked image; those whose label is not among `labels` are left out."""
    index = {label: number for number, label in enumerate(labels)}
    known = [each for each in image.objects if each.label in index]
    boxes = np.array([each.box for each in known], np.float64).reshape(-1, 4).clip(0, 1)
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = [number for number, side in enumerate(sides) if side.min() > 0]
    return TrueObjects(
        boxes[kept],
        np.array([index[known[number].label] for number in kept], np.int64),
        np.array([known[number].crowd for number in kept], np.bool_),
        tuple(_shape(known[number].mask, known[number].polygons, known[number].box) for number in kept),
    )


def _shape(mask: RunLengths | None, polygons: tuple[Outline, ...], box: tuple[float, float, float, float]) -> Shape:
    left, top, right, bottom = box
    return mask or polygons or ((left, top, right, top, right, bottom, left, bottom),)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return areas
