"""The confusion matrix of a detector, with one more row and column for nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.metrics.detections import ImageOverlaps


def detection_confusion(
    images: Sequence[ImageOverlaps], label_count: int, score_threshold: float, iou_threshold: float
) -> NDArray[np.int64]:
    """Count pairs, int64 [labels + 1, labels + 1]; rows are the truth, the last row and column stand for nothing.

    By falling score, each detection above `score_threshold` takes, of the objects that it overlaps by at least
    `iou_threshold` and that none has taken, the one that it overlaps most, whatever their labels. A detection that
    overlaps only a crowd is not counted.
    """
    counts = np.zeros((label_count + 1, label_count + 1), np.int64)
    for image in images:
        _count(image, counts, score_threshold, iou_threshold)
    return counts


def _count(image: ImageOverlaps, counts: NDArray[np.int64], score_threshold: float, iou_threshold: float) -> None:
    nothing = len(counts) - 1
    kept = np.flatnonzero(image.scores > score_threshold)
    kept = kept[np.argsort(-image.scores[kept], kind="stable")]
    overlaps = np.where(image.crowd, -1.0, image.overlaps[kept])
    near = np.asarray((overlaps >= iou_threshold).any(1))
    in_crowd = (image.overlaps[kept] >= iou_threshold)[:, image.crowd].any(1)
    taken = np.zeros(len(image.present), np.bool_)
    for row in np.flatnonzero(near):
        most = int(np.where(taken, -1.0, overlaps[row]).argmax())
        near[row] = not taken[most] and overlaps[row, most] >= iou_threshold
        if near[row]:
            taken[most] = True
            counts[image.present[most], image.labels[kept[row]]] += 1
    counts[nothing] += np.bincount(image.labels[kept[~near & ~in_crowd]], minlength=len(counts))
    counts[:, nothing] += np.bincount(image.present[~taken & ~image.crowd], minlength=len(counts))
