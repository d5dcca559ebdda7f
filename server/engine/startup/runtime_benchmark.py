"""RuntimeBenchmark: a model with another runtime beside the same model as it is, batch by batch in turns."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from models.loaded import LoadedModel
from server.engine.pipeline.device import Device, OnDevice

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class RuntimeBenchmark:
    """The best seconds of a batch of each size, of the model in use and of its rival."""

    current: dict[int, float]
    rival: dict[int, float]

    @property
    def faster(self) -> float:
        """How many times as fast as the model in use the rival is: the geometric mean over the sizes."""
        ratios = [math.log(self.current[size] / self.rival[size]) for size in self.rival]
        return math.exp(sum(ratios) / len(ratios))


def benchmark_runtimes(
    current: LoadedModel, rival: LoadedModel, sizes: Sequence[int], on_device: OnDevice[float]
) -> RuntimeBenchmark:
    """Time batches of an example. Between two of them as much time is left to others as one took."""
    best: list[dict[int, float]] = [{}, {}]
    for size in sizes:
        for _ in range(_ROUNDS):
            for model, times in zip((current, rival), best, strict=True):
                seconds = on_device(lambda model=model, size=size: Device(model).timed(size))  # type: ignore[misc]
                times[size] = min(seconds, times.get(size, math.inf))
                time.sleep(seconds)
    return RuntimeBenchmark(*best)
