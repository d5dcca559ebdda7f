"""Average precision at an overlap of one half, as COCO's evaluation defines it: how good a detector is, in one number.

Of the findings of a label, best score first, each takes the object of that label in its picture that it overlaps
most and that no better one took; without one of at least one half, it is a mistake. Precision as a function of
recall, made monotonic, is read at 101 recalls and averaged, and then averaged over the labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.fridge.palette import Floats

LEAST_OVERLAP = 0.5
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one picture beside what is there.

    scores: float (D,). found: int (D,), the labels of the findings. present: int (G,), the labels of the objects.
    overlaps: float (D, G), intersection over union of each finding with each object, in [0, 1].
    """

    scores: Floats
    found: NDArray[np.int64]
    present: NDArray[np.int64]
    overlaps: Floats


def box_overlaps(found: Floats, present: Floats) -> Floats:
    """Return intersection over union, float64 (D, G), of boxes (D, 4) and (G, 4): left, top, right, bottom."""
    one, other = np.asarray(found, np.float64)[:, None], np.asarray(present, np.float64)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.maximum(sides, 0.0).prod(-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))


def mask_overlaps(found: NDArray[np.bool_], present: NDArray[np.bool_]) -> Floats:
    """Return intersection over union, float64 (D, G), of masks (D, H, W) and (G, H, W); empty ones overlap nothing."""
    one, other = (masks.reshape(len(masks), int(np.prod(masks.shape[1:]))) for masks in (found, present))
    # Sums of up to 2**24 ones are exact in float32
    shared = (one.astype(np.float32) @ other.T.astype(np.float32)).astype(np.float64)
    areas = one.sum(1)[:, None] + other.sum(1)[None]
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))


def mean_average_precision(outcomes: Sequence[Outcome]) -> float:
    """Return the mean, in [0, 1], over all labels that are present somewhere; ValueError where none is."""
    precisions = average_precisions(outcomes)
    if not precisions:
        raise ValueError("There is no object in any of the pictures, so nothing can be measured.")
    return float(np.mean(list(precisions.values())))


def average_precisions(outcomes: Sequence[Outcome]) -> dict[int, float]:
    """Return the average precision, in [0, 1], of each label that is present somewhere."""
    labels = sorted({int(label) for outcome in outcomes for label in outcome.present})
    return {label: _average_precision(outcomes, label) for label in labels}


def _average_precision(outcomes: Sequence[Outcome], label: int) -> float:
    scores, hits = [], []
    for outcome in outcomes:
        mine, taken = _hits(outcome, label)
        scores.append(outcome.scores[mine])
        hits.append(taken)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    right = np.cumsum(np.concatenate(hits)[order])
    recall = right / sum(int((outcome.present == label).sum()) for outcome in outcomes)
    precision = right / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    # Recalls that are never reached count as precision 0
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(best_from_here, 0.0)[places].mean())


def right_shares(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Return which share of all findings is right, and which share of all objects is found, both in [0, 1].

    Unlike average precision this holds every mistake of a low score against the detector. 0 for a share of nothing.
    """
    right = findings = objects = 0
    for outcome in outcomes:
        findings, objects = findings + len(outcome.found), objects + len(outcome.present)
        for label in np.unique(outcome.present):
            right += int(_hits(outcome, label)[1].sum())
    return right / max(findings, 1), right / max(objects, 1)


def _hits(outcome: Outcome, label: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return which findings are of a label, best score first, and whether each takes an object, both (d,)."""
    mine = np.flatnonzero(outcome.found == label)
    mine = mine[np.argsort(-outcome.scores[mine], kind="stable")]
    left = outcome.overlaps[np.ix_(mine, np.flatnonzero(outcome.present == label))]
    hits = np.zeros(len(mine), dtype=np.bool_)
    for index, row in enumerate(left):
        if row.size and row.max() >= LEAST_OVERLAP:
            hits[index] = True
            # Of equally good objects the last is taken, as COCO's evaluation does
            left[:, row.size - 1 - int(row[::-1].argmax())] = -1.0
    return mine, hits
