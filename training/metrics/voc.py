"""Average precision, precision and recall as AutoML for Images computes them, after Pascal VOC.

The detections of a label are taken by falling score. Each looks only at the object of its label, in its image, that it
overlaps most. Where that overlap is at least the threshold, it is right; unless the object was taken by an earlier one,
then it is wrong; unless the object is a crowd, then it is neither. Precision, made falling from the right, over recall
has an area, the average precision.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics.detections import ImageOverlaps
from training.metrics.ranking import Flags, Floats


@dataclass(frozen=True, slots=True)
class LabelPrecision:
    """The numbers of one label, all in [0, 1]. `precision` is None where nothing was detected."""

    average_precision: float
    precision: float | None
    recall: float


def voc_precisions(
    images: Sequence[ImageOverlaps], score_threshold: float, iou_threshold: float
) -> Mapping[int, LabelPrecision]:
    """Judge the detections with scores above `score_threshold`, for each label that has objects besides crowds."""
    every = [image.present[~image.crowd] for image in images]
    counts = np.bincount(np.concatenate([*every, np.empty(0, np.int64)]))
    found = _nearest(images, score_threshold)
    right, counted = _judged(found, iou_threshold)
    return {
        int(label): _precision(right[found.labels == label], counted[found.labels == label], int(counts[label]))
        for label in np.flatnonzero(counts)
    }


@dataclass(frozen=True, slots=True)
class _Nearest:
    """All detections, best score first, all [D], with the object that each overlaps most: its number or -1."""

    labels: NDArray[np.int64]
    overlaps: Floats
    objects: NDArray[np.int64]
    crowd: Flags


def _nearest(images: Sequence[ImageOverlaps], score_threshold: float) -> _Nearest:
    scores, *rest = (
        np.concatenate(values) for values in zip(*_nearest_in_images(images, score_threshold), strict=True)
    )
    order = np.argsort(-scores, kind="stable")
    labels, overlaps, objects, crowd = (values[order] for values in rest)
    return _Nearest(labels, overlaps, objects, crowd)


def _nearest_in_images(
    images: Sequence[ImageOverlaps], score_threshold: float
) -> Iterator[tuple[NDArray[np.generic], ...]]:
    # Numbers an object that overlaps nothing, and keeps what follows from being without any arrays
    yield np.empty(0), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), np.empty(0, np.bool_)
    before = 0
    for image in images:
        kept = image.scores > score_threshold
        labels = image.labels[kept]
        if not len(image.present):
            nothing = np.full(len(labels), -1)
            yield image.scores[kept], labels, nothing.astype(np.float64), nothing, np.zeros(len(labels), np.bool_)
            continue
        overlaps = np.where(labels[:, None] == image.present, image.overlaps[kept], -1.0)
        most = overlaps.argmax(1)
        yield image.scores[kept], labels, overlaps[np.arange(len(labels)), most], before + most, image.crowd[most]
        before += len(image.present)


def _judged(found: _Nearest, iou_threshold: float) -> tuple[Flags, Flags]:
    """Return which detections are right, and which count at all."""
    hits = found.overlaps >= iou_threshold
    able = np.flatnonzero(hits & ~found.crowd)
    _, first = np.unique(found.objects[able], return_index=True)
    right = np.zeros(len(hits), np.bool_)
    right[able[first]] = True
    return right, ~(hits & found.crowd)


def _precision(right: Flags, counted: Flags, objects: int) -> LabelPrecision:
    right = right[counted]
    if not len(right):
        return LabelPrecision(0.0, None, 0.0)
    so_far = np.cumsum(right)
    recall, precision = so_far / objects, so_far / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return LabelPrecision(float(np.diff(recall, prepend=0.0) @ falling), float(precision[-1]), float(recall[-1]))
