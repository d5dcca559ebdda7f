"""WeightedMaps: what a score is where each pixel is visible, from random masks and the scores under them.

Petsiuk et al., RISE, https://arxiv.org/abs/1806.07421, equation 6: the map of a target is the sum of weight x mask over
the masks, divided by what the masks show of each pixel. The paper divides by the expected coverage, which is the share
of visible cells times the number of masks; here it is the sum of the masks themselves. Both are the same for whole
pairs of complementary masks. For others, a constant weight gives an even map instead of the pattern of the masks.
"""

import numpy as np
from numpy.typing import NDArray

from explain.perturbation.random_masks import Mask

NEARLY_ZERO = 1e-3  # weights, which are mostly probabilities or overlaps, below this tell nothing

_SAMPLES = 64  # places along each side that are compared; masks are smooth, so neighbours are nearly equal


class WeightedMaps:
    """Sums weight x mask for `targets` maps of `size` (height, width), in memory that the masks do not add to.

    It does so in two halves, the even and the odd pairs of masks: how far their maps agree tells how much is chance.
    """

    def __init__(self, targets: int, size: tuple[int, int]) -> None:
        self.count = 0
        self._weighted = np.zeros((2, targets, *size), np.float32)
        self._coverage = np.zeros((2, *size), np.float32)
        self._weights = np.zeros(targets)
        self._offset = np.zeros(targets)  # the first weights: sums of differences from them are more exact
        self._zeros = np.zeros(targets, np.int64)

    def add(self, number: int, mask: Mask, weights: NDArray[np.floating]) -> None:
        """Add the mask `number`, float32 [H, W], with a weight for each target, [K].

        Masks come in the order of their numbers, one by one, so that the sums have the same bits however the scores
        were computed.
        """
        assert number == self.count, "masks are added in the order of their numbers"
        half = number // 2 % 2
        if not self.count:
            self._offset += weights
        self._coverage[half] += mask
        for target, weight in enumerate((weights - self._offset).astype(np.float32)):
            self._weighted[half, target] += weight * mask
        self._weights += weights
        self._zeros += np.abs(weights) <= NEARLY_ZERO
        self.count += 1

    def maps(self) -> NDArray[np.float32]:
        """Return the mean weight of the masks that show a pixel, float32 [K, H, W].

        Their level is about `mean_weights`: what is above speaks for the target. Pixels that no mask shows are at that
        level.
        """
        means = self._means(self._weighted.sum(0), self._coverage.sum(0))
        return means + self._offset.astype(np.float32)[:, None, None]

    def mean_weights(self) -> NDArray[np.float32]:
        """Return the mean weight of each target, float32 [K]."""
        return (self._weights / max(1, self.count)).astype(np.float32)

    def zero_share(self, target: int) -> float:
        """Return the share of the weights of a target that are nearly zero, 0 to 1."""
        return float(self._zeros[target] / max(1, self.count))

    def agreement(self, target: int, region: tuple[slice, slice] | None = None) -> float:
        """Return the rank correlation (Spearman) of the two halves' maps of a target, -1 to 1, within a region.

        The map of all masks is better than this: its correlation with one of as many other masks is about
        2r / (1 + r) (Spearman-Brown). It is 0 where a half is even, as before there are two pairs.
        """
        rows, columns = region or (slice(None), slice(None))
        height, width = self._coverage[0][rows, columns].shape
        steps = (slice(None, None, max(1, height // _SAMPLES)), slice(None, None, max(1, width // _SAMPLES)))
        coverage = self._coverage[:, rows, columns][:, *steps]
        one, other = (
            _ranks(self._means(weighted[None], covered, slice(target, target + 1))[0])
            for weighted, covered in zip(self._weighted[:, target, rows, columns][:, *steps], coverage, strict=True)
        )
        spread = np.sqrt((one @ one) * (other @ other))
        return float(one @ other / spread) if spread else 0.0

    def _means(self, weighted: Mask, coverage: Mask, targets: slice = slice(None)) -> NDArray[np.float32]:
        """Return the mean weight of the masks that show each pixel, less the offset."""
        level = (self.mean_weights() - self._offset).astype(np.float32)[targets, None, None]
        shown = coverage > NEARLY_ZERO
        return np.where(shown, weighted / np.where(shown, coverage, 1), level)


def _ranks(values: Mask) -> NDArray[np.float64]:
    """Return the rank of each value, less the mean rank; equal values share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2 - (values.size - 1) / 2)[places.ravel()]
