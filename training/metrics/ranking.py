"""How well scores rank images with a label above those without it: area under the ROC curve, average precision."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def roc_areas(scores: Floats, truth: Flags) -> Floats:
    """Return the area under the ROC curve, float64 [C] in [0, 1], of each column of [N, C]; NaN where undefined.

    It is the share of pairs of an image with the label and one without it that are ranked rightly, equal scores being
    half right. It needs one image of either kind.
    """
    positive = truth.sum(0).astype(np.float64)
    negative = len(truth) - positive
    won = (rankdata(scores, axis=0) * truth).sum(0) - positive * (positive + 1) / 2
    pairs = positive * negative
    return np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)


def average_precisions(scores: Floats, truth: Flags) -> Floats:
    """Return the average precision, float64 [C] in [0, 1], of each column of [N, C]; NaN for labels of no image.

    It is the mean of the precision at each score, weighted by how much recall rises there, without interpolation.
    """
    return np.array([_average_precision(*column) for column in zip(scores.T, truth.T, strict=True)])


def _average_precision(scores: Floats, truth: Flags) -> float:
    if not truth.any():
        return np.nan
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    # Images of equal scores are taken together
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    right = np.cumsum(truth[order])[last]
    precision, recall = right / (last + 1), right / right[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
