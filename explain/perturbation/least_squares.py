"""LeastSquares: the linear model that captum's LIME and KernelSHAP fit. Its own would need scikit-learn."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


class LeastSquares:
    """Weighted linear regression with an intercept; `ridge` weighs the squares of the coefficients.

    `fit` and `representation` are what captum asks of a model.
    """

    def __init__(self, ridge: float = 0.0) -> None:
        self._ridge = ridge
        self._coefficients = torch.empty(0)

    def fit(self, data: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Fit to batches of features [N, F], outputs [N] and weights [N]."""
        features, outputs, weights = (np.concatenate(parts) for parts in zip(*_arrays(data), strict=True))
        # centred, so that the intercept is not shrunk, nor the coefficients where there are fewer rows than places
        features = features - np.average(features, axis=0, weights=weights)
        outputs = outputs - np.average(outputs, weights=weights)
        root = np.sqrt(weights)[:, None]
        shrinking = np.sqrt(self._ridge) * np.eye(features.shape[1])
        rows = np.concatenate([features * root, shrinking])
        wanted = np.concatenate([outputs * root[:, 0], np.zeros(features.shape[1])])
        found, *_ = np.linalg.lstsq(rows, wanted, rcond=None)
        self._coefficients = torch.from_numpy(found).float()

    def representation(self) -> Tensor:
        """Return the coefficients, float32 [F]."""
        return self._coefficients


def _arrays(data: Iterable[tuple[Tensor, Tensor, Tensor]]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return [(one.double().numpy(), two.double().numpy(), three.double().numpy()) for one, two, three in data]
