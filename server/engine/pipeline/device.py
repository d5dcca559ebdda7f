"""Device: runs batches on the model, one at a time, and keeps the trouble of one picture away from the others."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch

from models.classifier import HALFWAY_FROM
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage
from models.predictions import Prediction
from server.engine.scheduling.jobs import BatchItem, Job
from server.ipc.outcome import Failure

logger = logging.getLogger(__name__)

_LADDER = (1, 2, 4, 8, 16, 32, 64, 128)
_WARM_UP_S = 2.0
_LONG_S = 0.2
_BRIEF_S = 0.03  # where others use the device too, a batch that takes less says little of larger ones
_CLOSE_TO_BEST = 0.97
# of each batch on the cores of decoders and HTTP processes, which come and go between two of them (decision 13)
_HANDOVER_S = 0.008


T = TypeVar("T")

# runs a step on the thread that computes, and waits for it
OnDevice = Callable[[Callable[[], T]], T]


class EngineModel(Protocol):
    """What an engine needs of a model; models.classifier.Classifier and models.detector.Detector are."""

    @property
    def pixels(self) -> int:
        """The pixels of one usual network input, the unit of cost."""

    @property
    def runtime(self) -> str:
        """What computes its outputs."""

    @property
    def slow_to_encode(self) -> bool:
        """Whether `combine` takes long enough to take turns with a device on the same cores."""

    def settings(self, given: Mapping[str, Any]) -> Any:
        """Return the settings of a request that sets `given` otherwise; SettingsError where it cannot."""

    def max_inputs(self, settings: Any) -> int:
        """Return how many inputs an image has under these settings, at most."""

    def read(self, data: bytes, limits: ImageLimits, settings: Any) -> DecodedImage:
        """Decode a picture, on any thread; ImageError where that is not possible."""

    def example(self, count: int) -> Sequence[Any]:
        """Return inputs of one shape for warm-up and probes."""

    def outputs(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Run one batch of inputs of one shape; an output for each."""

    def combine(self, picture: DecodedImage, outputs: Sequence[Any]) -> Prediction:
        """Turn the outputs of all inputs of an image into what a client is told, on any thread."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The outputs of a batch in order; `too_large` is the smallest cost that ran out of memory, if any did."""

    outputs: Sequence[Any | Failure]
    too_large: float | None = None

    @property
    def failed(self) -> bool:
        """Whether any input has no output."""
        return any(isinstance(output, Failure) for output in self.outputs)


class Device:
    """Everything here runs on the one thread that is allowed to use the model's device, while it is its `turn`."""

    def __init__(self, model: EngineModel, turn: AbstractContextManager[object] | None = None) -> None:
        self.model = model
        self.turn = turn or nullcontext()

    def run(self, items: Sequence[BatchItem]) -> BatchResult:
        """Run items of one shape as one batch; after a failure one by one, after running out of memory in halves."""
        with self.turn:
            return self._run(items)

    def _run(self, items: Sequence[BatchItem]) -> BatchResult:
        try:
            return BatchResult(self.model.outputs([item.input.data for item in items]))
        except Exception as error:  # whatever a network raises, only the pictures that cause it may fail
            if out_of_memory(error):
                return self._run_halves(items)
            if len(items) > 1:
                logger.warning("a batch failed and is retried picture by picture images=%d", len(items), exc_info=True)
                alone = [self._run([item]) for item in items]
                return BatchResult([output for ran in alone for output in ran.outputs])
            job = items[0].job
            logger.exception("a picture failed request=%d index=%d", job.request, job.index)
            return BatchResult(
                [Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")]
            )

    def _run_halves(self, items: Sequence[BatchItem]) -> BatchResult:
        cost = sum(item.input.pixels for item in items)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(items) == 1:
            logger.error("out of memory on a single picture request=%d cost=%.0f", items[0].job.request, cost)
            message = "The device has not enough memory for this picture. Send a smaller one, or try again later."
            return BatchResult([Failure("out_of_memory", message)])
        logger.warning("out of memory, the batch is halved images=%d cost=%.0f", len(items), cost)
        middle = len(items) // 2
        first, second = self._run(items[:middle]), self._run(items[middle:])
        too_large = min(filter(None, (cost, first.too_large, second.too_large)))
        return BatchResult([*first.outputs, *second.outputs], too_large)

    def probe(self) -> None:
        """Run one example; raises whatever the model raises if the device no longer works."""
        with self.turn:
            self.model.outputs(self.model.example(1))

    def warm_up(self, max_images: int, batch_overhead_s: float = 0.0) -> list[tuple[int, float]]:
        """Run batches of an example, up to `max_images` (0: while larger ones help), for about two seconds.

        Returns (pictures, best seconds) for each size, growing. `batch_overhead_s` is as in `best_batch`.
        """
        timings: list[tuple[int, float]] = []
        for count in _ladder(max_images):
            if timings and 2 * count * timings[0][1] > _WARM_UP_S:
                break
            if timings and not max_images and not _still_helps(timings, batch_overhead_s):
                break
            try:
                timings.append((count, self._settled(count)))
            except Exception as error:
                if not timings or not out_of_memory(error):
                    raise
                logger.warning("out of memory at warm-up images=%d", count)
                break
        largest = best_batch(timings, batch_overhead_s)
        # what a GPU is given larger batches as that come between two of these sizes
        halfway = [3 * count // 4 for count, _ in timings if count <= largest and 3 * count // 4 >= HALFWAY_FROM]
        return sorted(timings + [(count, self._settled(count)) for count in halfway])

    def _settled(self, count: int) -> float:
        # a size is slow until memory has grown to it, which takes a pass or two
        first = self.timed(count)
        return min(first, *(self.timed(count) for _ in range(1 if first > _LONG_S else 2)))

    def timed(self, count: int) -> float:
        """Run one batch of an example and return its seconds."""
        inputs = self.model.example(count)
        with self.turn:
            started = time.monotonic()
            self.model.outputs(inputs)
            return time.monotonic() - started


def batch_items(jobs: Sequence[Job], max_images: int, max_cost: float) -> list[BatchItem]:
    """Choose what runs of jobs of one shape: an input of each image, and more of them while there is room."""
    queues = [
        [BatchItem(job, index, one) for index, one in job.open_inputs().items() if one.shape == job.shape]
        for job in jobs
    ]
    items = [queue[0] for queue in queues]
    cost = sum(item.input.pixels for item in items)
    for item in (item for queue in queues for item in queue[1:]):
        cost += item.input.pixels
        if len(items) >= max_images or cost > max_cost:
            break
        items.append(item)
    return items


def best_batch(timings: Sequence[tuple[int, float]], batch_overhead_s: float = 0.0) -> int:
    """Choose the smallest batch whose pictures per second come close to the best: more would only add latency.

    `batch_overhead_s` is how long each batch takes beside its forward pass.
    """
    rates = {count: count / (seconds + batch_overhead_s) for count, seconds in timings}
    enough = _CLOSE_TO_BEST * max(rates.values())
    return min(count for count, rate in rates.items() if rate >= enough)


def batch_overhead_s(device: torch.device) -> float:
    """Return the seconds that a batch on a device takes beside its forward pass, in which nothing else is computed."""
    return _HANDOVER_S if device.type == "cpu" else 0.0


def _still_helps(timings: Sequence[tuple[int, float]], batch_overhead_s: float) -> bool:
    if len(timings) == 1 or timings[-1][1] < _BRIEF_S:
        return True
    *_, before, last = (count / (seconds + batch_overhead_s) for count, seconds in timings)
    # what each batch takes beside its pictures is halved once more: the next size gains half as much as this one did
    return last > (1 + 2 * (1 / _CLOSE_TO_BEST - 1)) * before


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
