"""The digits that come with scikit-learn: 1797 grey pictures of 8x8, some to learn from and some to ask about."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Digits(NamedTuple):
    """`pictures`, float64 [N, 64] in [0, 1], row by row, and the `labels` they show, int64 [N]."""

    pictures: NDArray[np.float64]
    labels: NDArray[np.int64]


def split() -> tuple[Digits, Digits]:
    """Return the digits for training and those for testing, always the same."""
    pictures, labels = load_digits(return_X_y=True)
    found = train_test_split(pictures / 16, labels, test_size=0.25, random_state=0, stratify=labels)
    return Digits(found[0], found[2]), Digits(found[1], found[3])
