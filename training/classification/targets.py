"""Targets of classifiers, and the weights by which rare labels count for more."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from data.dataset import CheckedImage
from models.labels import Label

_UNBALANCED = 2  # how many times as many images the commonest label has as the rarest, before weights apply


def target_matrix(images: Sequence[CheckedImage], labels: Sequence[Label]) -> NDArray[np.bool_]:
    """Return which of the labels each image has, bool [N, C]."""
    places = {label: index for index, label in enumerate(labels)}
    matrix = np.zeros((len(images), len(labels)), np.bool_)
    for row, each in zip(matrix, images, strict=True):
        row[[places[label] for label in each.image.labels]] = True
    return matrix


def label_weights(targets: NDArray[np.bool_], weighted_loss: int, multilabel: bool) -> Tensor | None:
    """Return the weights of the labels, float32 [C], as the hosted trainer computes them; None where all are 1.

    1 stands for the square root of the inverse frequency, 2 for the inverse frequency. For several labels an image,
    both mean how many times as many images lack the label as have it.
    """
    counts = targets.sum(0)
    least = max(1, counts.min())
    if not weighted_loss or counts.max() // least <= _UNBALANCED:
        return None
    if multilabel:
        return torch.from_numpy((len(targets) - counts) / np.maximum(counts, 1)).float()
    inverse = len(targets) / (len(counts) * np.maximum(counts, 1))
    return torch.from_numpy(np.sqrt(inverse) if weighted_loss == 1 else inverse).float()


def classification_loss(logits: Tensor, targets: Tensor, weights: Tensor | None, multilabel: bool) -> Tensor:
    """Return the mean loss, a scalar, of logits [N, C] and targets bool [N, C]."""
    if multilabel:
        return functional.binary_cross_entropy_with_logits(logits, targets.float(), pos_weight=weights)
    return functional.cross_entropy(logits, targets.long().argmax(1), weight=weights)
