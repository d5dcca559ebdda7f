"""The digits of scikit-learn: 1797 grey images of 8x8, split into training and test images."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Digits(NamedTuple):
    """`images`, float64 [N, 64] in [0, 1], row by row, and their `labels`, int64 [N]."""

    images: NDArray[np.float64]
    labels: NDArray[np.int64]


def split() -> tuple[Digits, Digits]:
    """Return the digits for training and those for testing, always the same."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, labels, test_size=0.25, random_state=0, stratify=labels)
    return Digits(parts[0], parts[2]), Digits(parts[1], parts[3])
