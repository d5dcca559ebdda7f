"""Places the things in a scene so that every labelled one stays recognisable."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.fridge.drawing.solid import Sprite

TRIES = 40
MOST_HIDDEN = 0.35


@dataclass(frozen=True, slots=True)
class Piece:
    """A sprite and what it shows; `label` is None for clutter."""

    label: str | None
    sprite: Sprite


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece and the pixel (x, y) of the image at its top left corner, which may lie outside."""

    piece: Piece
    corner: tuple[int, int]

    @property
    def rectangle(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in pixels of the image, right and bottom exclusive."""
        height, width = self.piece.sprite.opacity.shape
        x, y = self.corner
        return x, y, x + width, y + height


def arrange(rng: np.random.Generator, pieces: Sequence[Piece], size: tuple[int, int], horizon: float) -> list[Placed]:
    """Give every piece a place on the floor and return them from far to near, the order to paint them in.

    The result is the first try that hides at most `MOST_HIDDEN` of any labelled piece, or else the best try.
    """
    best: list[Placed] = []
    least = np.inf
    for _ in range(TRIES):
        attempt = _attempt(rng, pieces, size, horizon)
        hidden = max(_hidden(attempt, index) for index, placed in enumerate(attempt) if placed.piece.label)
        if hidden < least:
            best, least = attempt, hidden
        if least <= MOST_HIDDEN:
            break
    return best


def _attempt(rng: np.random.Generator, pieces: Sequence[Piece], size: tuple[int, int], horizon: float) -> list[Placed]:
    labelled = sum(piece.label is not None for piece in pieces)
    middles = iter(_middles(rng, labelled, size))
    spots: list[tuple[float, Placed]] = []
    for piece in pieces:
        if piece.label is None:
            x, y = size[0] * rng.random(), size[1] * rng.uniform(horizon + 0.03, 1.0)
        else:
            x, y = float(next(middles)), _ground(rng, piece.sprite, size[1], horizon, single=labelled == 1)
        foot_x, foot_y = piece.sprite.foot
        spots.append((y, Placed(piece, (round(x - foot_x), round(y - foot_y)))))
    return [placed for _, placed in sorted(spots, key=lambda spot: spot[0])]


def _middles(rng: np.random.Generator, count: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the x of each labelled piece: one stands near the middle, several stand side by side."""
    width, height = size
    if count == 1:
        # A classifier sees only the middle square, so a single object stays inside it.
        return width / 2 + rng.uniform(-0.24, 0.24, 1) * min(width, height)
    places = (np.arange(count) + 0.5 + rng.uniform(-0.35, 0.35, count)) / count
    return width * (0.5 + rng.uniform(0.5, 0.88) * (rng.permutation(places) - 0.5))


def _ground(rng: np.random.Generator, sprite: Sprite, height: int, horizon: float, single: bool) -> float:
    """Return the y of a labelled piece in pixels: it stands on the floor with its top inside the image."""
    lowest = max(horizon + 0.06, sprite.foot[1] / height + 0.03)
    return height * max(lowest, rng.uniform(max(lowest, 0.8 if single else 0.0), 0.94))


def _hidden(placed: Sequence[Placed], index: int) -> float:
    """Return about which share of a piece the nearer ones hide, 0 to 1, as if all were rectangles."""
    left, top, right, bottom = placed[index].rectangle
    taken = 0.0
    for nearer in placed[index + 1 :]:
        other = nearer.rectangle
        across = min(right, other[2]) - max(left, other[0])
        down = min(bottom, other[3]) - max(top, other[1])
        taken += max(across, 0) * max(down, 0)
    return taken / ((right - left) * (bottom - top))
