"""Pictures of several objects, as detectors train on them and are tested with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from examples.fridge.drawings import BACKGROUND, Drawing
from examples.fridge.processors import spread
from examples.fridge.scene import LABELS, draw_scene

NOBODY = 255


@dataclass(frozen=True, slots=True)
class Gathering:
    """A picture of 1 to 4 objects.

    picture: uint8 (H, W, 3) RGB. labels: int64 (N,), indexes into LABELS. boxes: float32 (N, 4), left, top, right,
    bottom in pixels, right and bottom exclusive. owners: uint8 (H, W), which of the N objects each pixel shows, or
    NOBODY.
    """

    picture: NDArray[np.uint8]
    labels: NDArray[np.int64]
    boxes: NDArray[np.float32]
    owners: NDArray[np.uint8]

    def masks(self) -> NDArray[np.bool_]:
        """Return where each object is seen, bool (N, H, W)."""
        return np.asarray(np.arange(len(self.labels), dtype=np.uint8)[:, None, None] == self.owners)

    def drawings(self) -> list[Drawing]:
        """Return the same picture once per object, each time with another object as the one that counts."""
        kinds = np.full(256, BACKGROUND, dtype=np.uint8)
        kinds[: len(self.labels)] = self.labels
        shown = kinds[self.owners]
        found = []
        for label, box in zip(self.labels, self.boxes, strict=True):
            left, top, right, bottom = (int(edge) for edge in box)
            found.append(Drawing(self.picture, int(label), shown, (left, top, right, bottom)))
        return found


def draw_gatherings(what: str, seeds: Sequence[int], size: tuple[int, int]) -> list[Gathering]:
    """Draw one picture per seed at `size` (width, height), with 1 to 4 objects, and show progress as `what`."""
    return spread(what, partial(draw_gathering, size), seeds)


def draw_gathering(size: tuple[int, int], seed: int) -> Gathering:
    """Draw the picture of a seed at `size` (width, height)."""
    scene = draw_scene(seed, size=size)
    owners = np.full(scene.picture.shape[:2], NOBODY, dtype=np.uint8)
    for index, item in enumerate(scene.items):
        owners[item.mask] = index
    labels = np.array([LABELS.index(item.label) for item in scene.items])
    return Gathering(scene.picture, labels, np.array([item.box for item in scene.items], dtype=np.float32), owners)
