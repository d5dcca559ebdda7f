"""Many labelled pictures of one object each; which process draws which makes no difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from examples.fridge.processors import spread
from examples.fridge.scene import LABELS, draw_scene

BACKGROUND = len(LABELS)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of one object, as training wants it.

    picture: uint8 (H, W, 3) RGB. label: index into LABELS. kinds: uint8 (H, W), what each pixel shows: an index
    into LABELS, or BACKGROUND. box: left, top, right, bottom of the object in pixels.
    """

    picture: NDArray[np.uint8]
    label: int
    kinds: NDArray[np.uint8]
    box: tuple[int, int, int, int]


def draw_pictures(what: str, seeds: Sequence[int], size: tuple[int, int]) -> list[Drawing]:
    """Draw one picture per seed at `size` (width, height), the labels in turn, and show progress as `what`."""
    return spread(what, partial(_draw, size), seeds)


def _draw(size: tuple[int, int], seed: int) -> Drawing:
    label = seed % len(LABELS)
    scene = draw_scene(seed, size=size, labels=[LABELS[label]])
    item = scene.items[0]
    kinds = np.where(item.mask, np.uint8(label), np.uint8(BACKGROUND))
    return Drawing(scene.picture, label, kinds, item.box)
