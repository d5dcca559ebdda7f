"""Device: runs batches on the model, one at a time, and keeps the trouble of one picture away from the others."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models.images import ImageLimits
from models.predictions import Prediction
from server.engine.jobs import Job
from server.engine.outcome import Failure

logger = logging.getLogger(__name__)

_LADDER = (1, 2, 4, 8, 16, 32, 64)
_WARM_UP_S = 2.0
_CLOSE_TO_BEST = 0.97


class Model(Protocol):
    """What an engine needs of a model; models.loaded.LoadedModel is one."""

    @property
    def pixels(self) -> int:
        """The pixels of one network input, the unit of cost."""

    def picture(self, data: bytes, limits: ImageLimits) -> Tensor:
        """Decode a picture, on any thread; ImageError where that is not possible."""

    def example(self, count: int) -> list[Tensor]:
        """Return pictures for warm-up and probes."""

    def outputs(self, pictures: Sequence[Tensor]) -> Sequence[Tensor]:
        """Run one batch; an output for each picture."""

    def prediction(self, output: Tensor) -> Prediction:
        """Turn one output into what a client is told, on any thread."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The outputs of a batch in order; `too_large` is the smallest cost that ran out of memory, if any did."""

    outputs: Sequence[Tensor | Failure]
    too_large: float | None = None

    @property
    def failed(self) -> bool:
        """Whether any picture has no output."""
        return any(isinstance(output, Failure) for output in self.outputs)


class Device:
    """Everything here runs on the one thread that is allowed to use the model's device."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def run(self, jobs: Sequence[Job]) -> Ran:
        """Run the jobs as one batch; after a failure one by one, after running out of memory in halves."""
        try:
            return Ran(self.model.outputs([job.picture for job in jobs]))
        except Exception as error:  # whatever a network raises, only the pictures that cause it may fail
            if out_of_memory(error):
                return self._run_halves(jobs)
            if len(jobs) > 1:
                logger.warning("a batch failed and is retried picture by picture images=%d", len(jobs), exc_info=True)
                alone = [self.run([job]) for job in jobs]
                return Ran([output for ran in alone for output in ran.outputs])
            logger.exception("a picture failed request=%d index=%d", jobs[0].request, jobs[0].index)
            return Ran([Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")])

    def _run_halves(self, jobs: Sequence[Job]) -> Ran:
        cost = sum(job.cost for job in jobs)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(jobs) == 1:
            logger.error("out of memory on a single picture request=%d cost=%.0f", jobs[0].request, cost)
            message = "The device has not enough memory for this picture. Send a smaller one, or try again later."
            return Ran([Failure("out_of_memory", message)])
        logger.warning("out of memory, the batch is halved images=%d cost=%.0f", len(jobs), cost)
        middle = len(jobs) // 2
        first, second = self.run(jobs[:middle]), self.run(jobs[middle:])
        too_large = min(filter(None, (cost, first.too_large, second.too_large)))
        return Ran([*first.outputs, *second.outputs], too_large)

    def probe(self) -> None:
        """Run one example; raises whatever the model raises if the device no longer works."""
        self.model.outputs(self.model.example(1))

    def warm_up(self, max_images: int) -> list[tuple[int, float]]:
        """Run batches of an example, up to `max_images` (0: as many as help), for about two seconds.

        Returns (pictures, best seconds) for each size, growing. Large batches come first: a size is slow until memory
        has grown to it, which takes two passes.
        """
        alone = min(self._timed(1) for _ in range(3))
        fitting = [count for count in _ladder(max_images) if 2 * count * alone <= _WARM_UP_S]
        timings = {1: alone}
        for count in reversed(fitting[1:]):
            try:
                passes = 2 if len(timings) > 1 else 4
                timings[count] = min(self._timed(count) for _ in range(passes))
            except Exception as error:
                if not out_of_memory(error):
                    raise
                logger.warning("out of memory at warm-up images=%d", count)
        return sorted(timings.items())

    def _timed(self, count: int) -> float:
        pictures = self.model.example(count)
        started = time.monotonic()
        self.model.outputs(pictures)
        return time.monotonic() - started


def best_batch(timings: Sequence[tuple[int, float]]) -> int:
    """Choose the smallest batch whose pictures per second come close to the best: more would only add latency."""
    best = max(count / seconds for count, seconds in timings)
    return min(count for count, seconds in timings if count / seconds >= _CLOSE_TO_BEST * best)


def _ladder(max_images: int) -> list[int]:
    if not max_images:
        return list(_LADDER)
    return [*(count for count in _LADDER if count < max_images), max_images]


def out_of_memory(error: Exception) -> bool:
    """Tell whether an exception says that memory ran out, on a GPU or on a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # the CPU allocator has no exception type of its own
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
