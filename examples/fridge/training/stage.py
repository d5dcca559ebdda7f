"""TrainingStage: some steps of a training at one image size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """Some steps at one image size.

    pixels: width and height of the network's input. shown: how many images, `batch` at a time. rates: the learning rate
    at the start and at the end, linear in between.
    """

    pixels: int
    shown: int
    batch: int
    rates: tuple[float, float]

    @property
    def steps(self) -> int:
        """How many steps the stage takes."""
        return -(-self.shown // self.batch)

    def index_batches(self, rng: np.random.Generator, count: int) -> Iterator[NDArray[np.int64]]:
        """Yield the indexes of each step's images, int64 [N]: `count` images, again and again in a random order."""
        order = np.concatenate([rng.permutation(count) for _ in range(-(-self.shown // count))])
        for start in range(0, self.shown, self.batch):
            yield order[start : min(start + self.batch, self.shown)]
