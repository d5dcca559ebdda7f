"""MaskSampling: how RISE draws masks, round by round, until the maps of two halves of them agree.

Petsiuk et al., RISE, https://arxiv.org/abs/1806.07421. Scores of masked images come from whatever has scores: a runtime
or a script.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.perturbation.random_masks import Mask, RandomMasks
from explain.perturbation.weighted_maps import WeightedMaps

FIRST_ROUND = 32  # masks: fewer tell nothing

_ROUND = 32  # masks between two looks at the agreement
_CELLS = 8  # along the shorter side
_ENOUGH = 0.9  # agreement of the halves, from which the map of both is right to about 0.95 (Spearman-Brown)
_LITTLE = 0.8  # agreement below which a note warns
_MOST_ZEROS = 0.8  # share of weights that are nearly zero, above which a note says so
_ALIKE = 4  # masks in a row with the same fill: two pairs, so that both halves see all fills


class MaskSampling:
    """Masked copies of an image, uint8 [H, W, 3], and the maps of their scores.

    Ask for the numbers of the `next_round`, make the `masked` image of each, and `add` its scores in the order of their
    numbers, while `goes_on`. `fills`, float32 [H, W, 3] each, stand in hidden places, in turn. Masks have `cells` along
    the shorter side.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        fills: Sequence[NDArray[np.float32]],
        *,
        n_masks: int,
        share: float,
        seed: int,
        cells: int = _CELLS,
    ) -> None:
        height, width = pixels.shape[:2]
        cell = min(height, width) / cells
        self.masks = RandomMasks((height, width), (round(height / cell), round(width / cell)), share, seed)
        self.done = 0
        self._size = height, width
        self._n_masks = n_masks
        self._fills = [one.reshape(height, -1) for one in fills]
        self._differences = [pixels.reshape(height, -1) - one for one in self._fills]
        self._maps: WeightedMaps | None = None
        self._shown: dict[int, Mask] = {}  # the masks whose scores are awaited
        self._agreements: tuple[int, list[float]] = (0, [0.0])

    def masked(self, number: int) -> NDArray[np.uint8]:
        """Return the image under the mask `number`, uint8 [H, W, 3]; any thread may call it."""
        which = number // _ALIKE % len(self._fills)
        mask = self._shown[number] = self.masks.mask(number)
        visible = np.repeat(mask, 3, axis=1)  # rows of colours, which NumPy runs through quickly
        visible *= self._differences[which]
        visible += self._fills[which]
        visible += 0.5  # to the nearest integer
        return visible.astype(np.uint8).reshape(*self._size, 3)

    def add(self, number: int, weights: NDArray[np.floating]) -> None:
        """Add the scores of the targets, [K], under the mask `number`."""
        if self._maps is None:
            self._maps = WeightedMaps(len(weights), self._size)
        self._maps.add(number, self._shown.pop(number), weights)
        self.done += 1

    @property
    def next_round(self) -> range:
        """The numbers of the masks to score next."""
        return range(self.done, min(self.done + (_ROUND if self.done else FIRST_ROUND), self._n_masks))

    @property
    def growth(self) -> float:
        """The share by which the next round adds to the work so far."""
        return len(self.next_round) / max(1, self.done)

    @property
    def goes_on(self) -> bool:
        """Whether another round is wanted: there are masks left, and the halves of a target do not agree yet."""
        return self.done < self._n_masks and min(self.agreements()) < _ENOUGH

    def agreements(self) -> list[float]:
        """Return the rank correlation of the two halves for each target, -1 to 1, where its map is strong.

        That is the box around all pixels of at least half the map's maximum, larger by half on each side: elsewhere a
        map is even, and the ranks of even pixels are chance. See `WeightedMaps.agreement`.
        """
        if self._maps is not None and self._agreements[0] != self.done:
            strong = map(_strong_region, self.maps())
            agreements = [self._maps.agreement(target, region) for target, region in enumerate(strong)]
            self._agreements = self.done, agreements
        return self._agreements[1]

    def maps(self) -> NDArray[np.float32]:
        """Return, for each target, by how much its score is higher where a pixel is visible: float32 [K, H, W]."""
        assert self._maps is not None
        return self._maps.maps() - self._maps.mean_weights()[:, None, None]

    def notes(self, target: int, agreement: float, *, in_time: bool) -> tuple[str, ...]:
        """Return sentences for people on how much the map of the target at this position can be trusted."""
        assert self._maps is not None
        notes = []
        if not in_time:
            notes.append(f"Time allowed for {self.done} of {self._n_masks} masks.")
        if agreement < _LITTLE:
            notes.append(
                f"The maps of two halves of the {self.done} masks agree by {agreement:.2f} (rank correlation), so much "
                f"of this map is chance. {'Give it more time.' if not in_time else 'Raise n_masks.'}"
            )
        if (zeros := self._maps.zero_share(target)) > _MOST_ZEROS:
            notes.append(f"The score is nearly 0 under {zeros:.0%} of the masks. Raise mask_share, to hide less.")
        return tuple(notes)


def _strong_region(values: NDArray[np.float32]) -> tuple[slice, slice]:
    strong = values >= values.max() - np.abs(values.max()) / 2
    return _grown(np.flatnonzero(strong.any(1))), _grown(np.flatnonzero(strong.any(0)))


def _grown(positions: NDArray[np.int64]) -> slice:
    if not len(positions):  # scores that are no numbers
        return slice(None)
    first, last = int(positions[0]), int(positions[-1])
    margin = (last + 1 - first) // 2
    return slice(max(0, first - margin), last + 1 + margin)
