"""Average precision at an IoU of one half, as COCO's evaluation defines it: how good a detector is, in one number.

IoU is intersection over union. The detections of a label are taken in order of their scores, the highest first. Each
one takes the object of that label in its image with which it has the largest IoU and that no better detection took;
where no such IoU is at least one half, it is a mistake. Precision as a function of recall, made monotonic, is read at
101 recalls and averaged, and then averaged over the labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.fridge.drawing.palette import Floats

LEAST_IOU = 0.5
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The detections of one image beside its objects.

    scores: float (D,). detected: int (D,), the labels of the detections. present: int (G,), the labels of the objects.
    ious: float (D, G), the IoU of each detection with each object, in [0, 1].
    """

    scores: Floats
    detected: NDArray[np.int64]
    present: NDArray[np.int64]
    ious: Floats


def box_ious(detected: Floats, present: Floats) -> Floats:
    """Return the IoU, float64 (D, G), of boxes (D, 4) and (G, 4): left, top, right, bottom."""
    one, other = np.asarray(detected, np.float64)[:, None], np.asarray(present, np.float64)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.maximum(sides, 0.0).prod(-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))


def mask_ious(detected: NDArray[np.bool_], present: NDArray[np.bool_]) -> Floats:
    """Return the IoU, float64 (D, G), of masks (D, H, W) and (G, H, W); 0 for empty masks."""
    one, other = (masks.reshape(len(masks), int(np.prod(masks.shape[1:]))) for masks in (detected, present))
    # Sums of up to 2**24 ones are exact in float32
    shared = (one.astype(np.float32) @ other.T.astype(np.float32)).astype(np.float64)
    areas = one.sum(1)[:, None] + other.sum(1)[None]
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))


def mean_average_precision(results: Sequence[ImageResult]) -> float:
    """Return the mean, in [0, 1], over all labels that are present somewhere; ValueError where none is."""
    precisions = average_precisions(results)
    if not precisions:
        raise ValueError("There is no object in any of the images, so nothing can be measured.")
    return float(np.mean(list(precisions.values())))


def average_precisions(results: Sequence[ImageResult]) -> dict[int, float]:
    """Return the average precision, in [0, 1], of each label that is present somewhere."""
    labels = sorted({int(label) for result in results for label in result.present})
    return {label: _average_precision(results, label) for label in labels}


def _average_precision(results: Sequence[ImageResult], label: int) -> float:
    scores, hits = [], []
    for result in results:
        ordered, taken = _hits(result, label)
        scores.append(result.scores[ordered])
        hits.append(taken)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    right = np.cumsum(np.concatenate(hits)[order])
    recall = right / sum(int((result.present == label).sum()) for result in results)
    precision = right / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    # Recalls that are never reached count as precision 0
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(best_from_here, 0.0)[places].mean())


def precision_and_recall(results: Sequence[ImageResult]) -> tuple[float, float]:
    """Return the share of all detections that are right and the share of all objects that are found, both in [0, 1].

    Unlike average precision, this counts mistakes of a low score as much as others. A share of nothing is 0.
    """
    right = detections = objects = 0
    for result in results:
        detections, objects = detections + len(result.detected), objects + len(result.present)
        for label in np.unique(result.present):
            right += int(_hits(result, label)[1].sum())
    return right / max(detections, 1), right / max(objects, 1)


def _hits(result: ImageResult, label: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the detections of a label, best score first, and whether each takes an object, both (d,)."""
    ordered = np.flatnonzero(result.detected == label)
    ordered = ordered[np.argsort(-result.scores[ordered], kind="stable")]
    ious = result.ious[np.ix_(ordered, np.flatnonzero(result.present == label))]
    hits = np.zeros(len(ordered), dtype=np.bool_)
    for index, row in enumerate(ious):
        if row.size and row.max() >= LEAST_IOU:
            hits[index] = True
            # Of equally good objects the last is taken, as COCO's evaluation does
            ious[:, row.size - 1 - int(row[::-1].argmax())] = -1.0
    return ordered, hits
