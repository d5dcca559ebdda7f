"""RuntimeBenchmark: times a model with a candidate runtime against the model in use, one batch of each in turn."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.loaded import LoadedModel
from server.engine.device import Device, OnDevice

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class RuntimeBenchmark:
    """The best seconds of a batch by its size, of the model in use and of the candidate."""

    current: dict[int, float]
    candidate: dict[int, float]

    @property
    def speed_up(self) -> float:
        """How many times as fast the candidate is: the geometric mean over the sizes."""
        ratios = [math.log(self.current[size] / self.candidate[size]) for size in self.candidate]
        return math.exp(sum(ratios) / len(ratios))

    def milliseconds(self) -> tuple[float, float]:
        """Return the least milliseconds of an image in a batch, of the model in use and of the candidate."""
        current, candidate = (
            1000 * min(seconds / size for size, seconds in times.items()) for times in (self.current, self.candidate)
        )
        return current, candidate


def benchmark_runtimes(
    current: LoadedModel,
    candidate: LoadedModel,
    sizes: Sequence[int],
    on_device: OnDevice[float],
    before_each: Callable[[], None] = lambda: None,
) -> RuntimeBenchmark:
    """Time batches of an example. After each batch, the device is left to other work for as long as the batch took.

    `on_device` runs a batch on the device thread. `before_each` is called before each batch, and may wait.
    """
    best: list[dict[int, float]] = [{}, {}]
    for size in sizes:
        for _ in range(_ROUNDS):
            for model, times in zip((current, candidate), best, strict=True):
                before_each()
                seconds = on_device(lambda model=model, size=size: Device(model).time_example(size))  # type: ignore[misc]
                times[size] = min(seconds, times.get(size, math.inf))
                time.sleep(seconds)
    return RuntimeBenchmark(*best)
