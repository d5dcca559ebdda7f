"""Many labelled pictures at once, drawn by all processors; which process draws which makes no difference."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from examples.fridge.progress import Progress
from examples.fridge.scene import LABELS, draw_scene

MOST_PROCESSES = 8
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
    progress = Progress(what, len(seeds))
    processes = min(_processors(), MOST_PROCESSES)
    drawings = []
    # Forking a process in which PyTorch has started its threads can hang; a fresh one costs a third of a second.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for drawing in pool.map(partial(_draw, size), seeds, chunksize=16):
            drawings.append(drawing)
            progress.advance(1)
    return drawings


def _draw(size: tuple[int, int], seed: int) -> Drawing:
    label = seed % len(LABELS)
    scene = draw_scene(seed, size=size, labels=[LABELS[label]])
    item = scene.items[0]
    kinds = np.where(item.mask, np.uint8(label), np.uint8(BACKGROUND))
    return Drawing(scene.picture, label, kinds, item.box)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
