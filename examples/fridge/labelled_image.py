"""Images of one object each, with its label, box and class map: what a classifier trains on and is tested with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from examples.fridge.parallel import parallel_map
from examples.fridge.scene import LABELS, draw_scene

BACKGROUND = len(LABELS)


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """An image in which one object counts.

    image: uint8 (H, W, 3) RGB. label: index into LABELS. class_map: uint8 (H, W), the class of each pixel: an index
    into LABELS, or BACKGROUND. box: left, top, right, bottom of the object in pixels.
    """

    image: NDArray[np.uint8]
    label: int
    class_map: NDArray[np.uint8]
    box: tuple[int, int, int, int]


def draw_labelled_images(what: str, seeds: Sequence[int], size: tuple[int, int]) -> list[DrawnImage]:
    """Draw one image per seed at `size` (width, height) and show progress as `what`.

    The labels take turns. Several processes draw; the result does not depend on which process draws what.
    """
    return parallel_map(what, partial(_draw, size), seeds)


def _draw(size: tuple[int, int], seed: int) -> DrawnImage:
    label = seed % len(LABELS)
    scene = draw_scene(seed, size=size, labels=[LABELS[label]])
    item = scene.objects[0]
    class_map = np.where(item.mask, np.uint8(label), np.uint8(BACKGROUND))
    return DrawnImage(scene.image, label, class_map, item.box)
