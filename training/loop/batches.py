"""Batches: which examples each step trains on, and the randomness of each, as functions of seed, epoch and place.

Nothing here has a state, so a run goes on at any step without one, and several processes share what one would do.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.recipe import StepPlan

Item = TypeVar("Item")

# What a generator is for, so that no two share their numbers
_ORDER, _EXAMPLE, _BATCH = 0, 1, 2


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """The steps of all epochs.

    `batch_size` is that of all processes together. The batches of an epoch hold every example once and differ by at
    most one in size, since a last batch of a few examples would count for more than its share. `rank` of `processes`
    says which part of each batch is ours.
    """

    seed: int
    example_count: int
    batch_size: int
    epochs: int
    rank: int = 0
    processes: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """How many steps an epoch has."""
        return -(-self.example_count // self.batch_size)

    def plan(self, epoch: int, step: int) -> StepPlan:
        """Return what our process trains on in a step of an epoch, both counted from 0."""
        places = self._places(step)
        return StepPlan(
            indexes=_permutation(self.seed, epoch, self.example_count)[places],
            rngs=[np.random.default_rng((self.seed, _EXAMPLE, epoch, int(place))) for place in places],
            shared=np.random.default_rng((self.seed, _BATCH, epoch, step)),
            progress=(epoch * self.steps_per_epoch + step) / (self.epochs * self.steps_per_epoch),
        )

    def share(self, step: int) -> float:
        """Return by what our loss is multiplied, so that the mean over the processes is that over the examples."""
        first, last = self._bounds(step)
        return len(self._places(step)) * self.processes / (last - first)

    def _places(self, step: int) -> NDArray[np.int64]:
        """Return our places of a step in the order of an epoch."""
        return np.array_split(np.arange(*self._bounds(step)), self.processes)[self.rank]

    def _bounds(self, step: int) -> tuple[int, int]:
        """Return the first place of a step of all processes, and that of the next step."""
        first, last = np.linspace(0, self.example_count, self.steps_per_epoch + 1)[step : step + 2].round()
        return int(first), int(last)


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of an epoch, which all its steps share."""
    order = np.random.default_rng((seed, _ORDER, epoch)).permutation(count)
    order.flags.writeable = False
    return order


def timed(items: Iterator[Item], waited: Callable[[float], None]) -> Iterator[Item]:
    """Yield the items, and say how many seconds each was waited for."""
    while True:
        start = time.monotonic()
        try:
            item = next(items)
        except StopIteration:
            return
        waited(time.monotonic() - start)
        yield item


def prefetched(
    plans: Sequence[Callable[[], StepPlan]], batch: Callable[[StepPlan], Any], ahead: int = 2
) -> Iterator[tuple[StepPlan, Any]]:
    """Yield each plan with its batch, which a thread makes while the steps before it run."""

    def made(plan: Callable[[], StepPlan]) -> tuple[StepPlan, Any]:
        drawn = plan()
        return drawn, batch(drawn)

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
        waiting = [thread.submit(made, plan) for plan in plans[:ahead]]
        for number in range(len(plans)):
            yield waiting.pop(0).result()
            if number + ahead < len(plans):
                waiting.append(thread.submit(made, plans[number + ahead]))
