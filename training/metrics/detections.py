"""What a detector found in an image, what is there, and how much they overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from faster_coco_eval.core import mask as run_length_masks
from numpy.typing import NDArray

from data.record import RunLengths
from training.metrics.mask_runs import EncodedMask, encoded
from training.metrics.ranking import Flags, Floats


@dataclass(frozen=True, slots=True)
class DetectedImage:
    """What a detector found, in any order.

    `boxes` float [D, 4]: left, top, right, bottom as shares of the image. `scores` float [D] in [0, 1]. `labels` int
    [D], indexes into the labels. `masks`: one of the size of the image for each object, or None for boxes.
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    labels: NDArray[np.integer]
    masks: Sequence[RunLengths] | None = None


@dataclass(frozen=True, slots=True)
class TrueImage:
    """What is in an image: `boxes`, `labels` and `masks` as in DetectedImage.

    `crowd` bool [G]: what stands for many objects of its label, which a detection neither has to find nor may not.
    `size` is the (width, height) of the image in pixels.
    """

    boxes: NDArray[np.floating]
    labels: NDArray[np.integer]
    crowd: Flags
    size: tuple[int, int]
    masks: Sequence[RunLengths] | None = None


@dataclass(frozen=True, slots=True)
class ImageOverlaps:
    """Detections beside objects: `scores` [D], `labels` [D], `present` [G] the labels of objects, `crowd` [G].

    `overlaps` float64 [D, G] are intersections over unions; with a crowd, over the area of the detection, as in COCO.
    """

    scores: Floats
    labels: NDArray[np.int64]
    present: NDArray[np.int64]
    crowd: Flags
    overlaps: Floats


def overlaps_of_boxes(detected: DetectedImage, truth: TrueImage) -> ImageOverlaps:
    """Compare the boxes of an image."""
    one, other = (np.asarray(each.boxes, np.float64).reshape(-1, 4) for each in (detected, truth))
    sides = np.minimum(one[:, None, 2:], other[None, :, 2:]) - np.maximum(one[:, None, :2], other[None, :, :2])
    shared = np.maximum(sides, 0.0).prod(-1)
    area, present = ((each[:, 2:] - each[:, :2]).prod(-1) for each in (one, other))
    whole = area[:, None] + np.where(truth.crowd, 0.0, present - shared)
    return _beside(detected, truth, np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0))


def overlaps_of_masks(
    detected: DetectedImage, truth: TrueImage, found: list[EncodedMask], present: list[EncodedMask]
) -> ImageOverlaps:
    """Compare the masks of an image, which are given as COCO's tools encode them."""
    shape = len(found), len(present)
    overlaps = run_length_masks.iou(found, present, truth.crowd.astype(int).tolist()) if all(shape) else np.zeros(shape)
    return _beside(detected, truth, np.asarray(overlaps, np.float64).reshape(shape))


def encoded_masks(image: DetectedImage | TrueImage, size: tuple[int, int]) -> list[EncodedMask]:
    """Encode the masks of an image of (width, height); ValueError where one is missing or of another size."""
    masks = image.masks or ()
    expected = size[::-1]
    if len(masks) != len(image.labels) or any(mask.size != expected for mask in masks):
        sizes = sorted({mask.size for mask in masks})
        raise ValueError(f"{len(masks)} masks of {sizes}; expected {len(image.labels)} of (height, width) {expected}")
    return [encoded(mask) for mask in masks]


def _beside(detected: DetectedImage, truth: TrueImage, overlaps: Floats) -> ImageOverlaps:
    return ImageOverlaps(
        np.asarray(detected.scores, np.float64),
        np.asarray(detected.labels, np.int64),
        np.asarray(truth.labels, np.int64),
        np.asarray(truth.crowd, np.bool_),
        overlaps,
    )
