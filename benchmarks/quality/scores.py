"""Scores of a map against the mask of the object that it should show, and confidence intervals of their means.

All scores take a weight for each pixel, float32 [H, W], at least 0. Pixels of equal weight, such as those of a region,
count as if in a random order: scores are the mean over all orders.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

Weights = NDArray[np.float32]
Mask = NDArray[np.bool_]
Interval = tuple[float, float, float]  # mean, and the ends of its 95 % confidence interval

_RESAMPLES = 2000


def pointing(weight: Weights, mask: Mask) -> float:
    """Return 1 where the strongest pixel lies in the mask, else 0: the pointing game."""
    return float(mask[weight == weight.max()].mean())


def energy(weight: Weights, mask: Mask) -> float:
    """Return the share of all weight that lies in the mask."""
    total = float(weight.sum(dtype=np.float64))
    return float(weight[mask].sum(dtype=np.float64)) / total if total else 0.0


def precision(weight: Weights, mask: Mask) -> float:
    """Return the share of the strongest pixels, as many as the mask has, that lie in the mask."""
    wanted = int(mask.sum())
    last = np.partition(weight, weight.size - wanted, axis=None)[weight.size - wanted]
    above, ties = weight > last, weight == last
    hits = float(mask[above].sum()) + (wanted - int(above.sum())) * float(mask[ties].mean())
    return hits / wanted


def contrast(weight: Weights, mask: Mask, distractor: Mask) -> float:
    """Return the mean weight in the mask as a share of those in mask and distractor; 0.5 prefers neither."""
    own, other = float(weight[mask].mean()), float(weight[distractor].mean())
    return own / (own + other) if own + other else 0.5


def order(weight: Weights, seed: int) -> NDArray[np.intp]:
    """Return the indexes of the pixels, strongest first, equal ones shuffled."""
    shuffled = np.random.default_rng(seed).permutation(weight.size)
    return shuffled[np.argsort(-weight.flat[shuffled], kind="stable")]


def likeness(one: Weights, other: Weights) -> float:
    """Return the rank correlation of two maps, -1 to 1, and 0 if either is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one, other, axis=None).statistic)


def edges(image: NDArray[np.uint8]) -> Weights:
    """Return the strength of the edges of an image, uint8 [H, W, 3]: Sobel, of its grey values."""
    grey = image.mean(axis=2)
    strength: Weights = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1)).astype(np.float32)
    return strength


def interval(values: Sequence[float], scenes: Sequence[int]) -> Interval:
    """Return the mean and its 95 % interval: a bootstrap over scenes, since questions about one scene correlate."""
    _, member = np.unique(np.asarray(scenes), return_inverse=True)
    number = int(member.max()) + 1
    sums, counts = np.bincount(member, np.asarray(values, dtype=np.float64)), np.bincount(member)
    drawn = np.random.default_rng(0).multinomial(number, np.full(number, 1 / number), size=_RESAMPLES)
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), (0.025, 0.975))
    return float(np.mean(values)), float(low), float(high)
