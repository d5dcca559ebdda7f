"""RandomMasks: smooth random masks, each made anew from a seed and its number, so that none has to be kept.

Petsiuk et al., RISE, https://arxiv.org/abs/1806.07421: cells of a coarse grid are visible with a given probability, and
the grid is enlarged bilinearly and shifted at random. Unlike there, masks come in antithetic pairs, which halves the
variance of the maps at no cost where a score is nearly additive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RandomMasks:
    """Masks of `size` (height, width), whose grid has `cells` (rows, columns), of which `share` is visible on average.

    At every pixel the expected value of a mask is `share`, in (0, 1). The masks 2k and 2k + 1 are an antithetic pair:
    both are drawn from the same uniform numbers u and shifted alike, but cells are visible in the first where
    u < share, in the second where u >= 1 - share. With a share of 0.5 the second is exactly the complement of the
    first; with any other they differ in as many cells as the share allows.
    """

    size: tuple[int, int]
    cells: tuple[int, int]
    share: float = 0.5
    seed: int = 0

    def mask(self, number: int) -> Mask:
        """Return a mask, float32 [H, W] in [0, 1], 1 being visible; the same seed and number give the same bits."""
        pair, second = divmod(number, 2)
        random = np.random.Generator(np.random.PCG64([self.seed, pair]))
        shifts = random.random(2)
        rows, columns = self.cells
        # the shift moves the image over one more cell, and interpolation reads one beyond that
        numbers = random.random((rows + 2, columns + 2))
        first = numbers < (1 - self.share if second else self.share)
        enlarged = self._enlarged(first.astype(np.float32), shifts)
        return 1 - enlarged if second else enlarged

    def _enlarged(self, grid: Mask, shifts: NDArray[np.float64]) -> Mask:
        height, width = self.size
        top, down = _places(height, self.cells[0], shifts[0])
        left, right = _places(width, self.cells[1], shifts[1])
        down = down[:, None]
        # weights that sum to 1 keep the result within [0, 1]; elementwise, so that no library's threads decide bits
        rows = grid[top] * (1 - down) + grid[top + 1] * down
        return np.clip(rows[:, left] * (1 - right) + rows[:, left + 1] * right, 0, 1)


def _places(pixels: int, cells: int, shift: float) -> tuple[NDArray[np.int64], Mask]:
    """Return, for each pixel of a side, the node of the grid before it, and how far it is from there, in cells."""
    places = (np.arange(pixels) + 0.5) * (cells / pixels) + shift
    nodes = places.astype(np.int64)
    return nodes, (places - nodes).astype(np.float32)
