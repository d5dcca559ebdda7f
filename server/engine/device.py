"""Device: runs batches on the model, one at a time. An image that fails does not fail the others of its batch."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from models.images.model_input import ModelInput
from server.engine.engine_model import EngineModel
from server.engine.payload import ScorePayload
from server.engine.scheduling.job import Job
from server.ipc.outcome import Failure

logger = logging.getLogger(__name__)

T = TypeVar("T")

# runs a step on the device's thread, and waits for its result
OnDevice = Callable[[Callable[[], T]], T]


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One input of a job's image, as an item of a batch. `index` is that of the input in the image."""

    job: Job[ScorePayload]
    index: int
    input: ModelInput


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The outputs of a batch in the order of its items, and the seconds that it kept the device busy.

    `too_large` is the smallest cost, in pixels, that ran out of memory; None where none did.
    """

    outputs: Sequence[Any | Failure]
    too_large: float | None = None
    busy_s: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether any item has no output."""
        return any(isinstance(output, Failure) for output in self.outputs)


class Device:
    """Runs a model. All methods run on the one thread that may use the model's device, and hold `lock` meanwhile.

    `step` is the number of the step that computes now; None between two steps. Any thread may read it.
    """

    def __init__(self, model: EngineModel, lock: AbstractContextManager[object] | None = None) -> None:
        self.model = model
        self.lock = lock or nullcontext()
        self.step: int | None = None
        self._steps = itertools.count()

    @contextmanager
    def computing(self) -> Iterator[float]:
        """Hold the lock for one step, and yield when it began, in monotonic seconds."""
        with self.lock:
            self.step = next(self._steps)
            try:
                yield time.monotonic()
            finally:
                self.step = None

    def run(self, items: Sequence[BatchItem]) -> BatchResult:
        """Run items of one shape as one batch. A batch that fails runs again item by item, one too large in halves."""
        with self.computing() as started:
            result = self._run(items)
            return BatchResult(result.outputs, result.too_large, time.monotonic() - started)

    def _run(self, items: Sequence[BatchItem]) -> BatchResult:
        try:
            return BatchResult(self.model.outputs([item.input.data for item in items]))
        except Exception as error:  # of any kind: only the images that cause it may fail
            if out_of_memory(error):
                return self._run_halves(items)
            if len(items) > 1:
                logger.warning("a batch failed, retrying it image by image images=%d", len(items), exc_info=True)
                results = [self._run([item]) for item in items]
                return BatchResult([output for result in results for output in result.outputs])
            job = items[0].job
            logger.exception("an image failed request=%d index=%d", job.request, job.index)
            return BatchResult(
                [Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")]
            )

    def _run_halves(self, items: Sequence[BatchItem]) -> BatchResult:
        cost = sum(item.input.pixels for item in items)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(items) == 1:
            logger.error("out of memory on one image request=%d cost=%.0f", items[0].job.request, cost)
            message = "The device has not enough memory for this picture. Send a smaller one, or try again later."
            return BatchResult([Failure("out_of_memory", message)])
        logger.warning("out of memory, halving the batch images=%d cost=%.0f", len(items), cost)
        middle = len(items) // 2
        first, second = self._run(items[:middle]), self._run(items[middle:])
        too_large = min(filter(None, (cost, first.too_large, second.too_large)))
        return BatchResult([*first.outputs, *second.outputs], too_large)

    def outputs(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Return the outputs of one batch, within a step that another part of the engine computes."""
        return self.model.outputs(inputs)

    def probe(self) -> None:
        """Run one example. Raises what the model raises where the device no longer works."""
        with self.computing():
            self.model.outputs(self.model.example(1))

    def time_example(self, count: int) -> float:
        """Run one batch of `count` examples, and return the seconds that it took."""
        inputs = self.model.example(count)
        with self.lock:
            started = time.monotonic()
            self.model.outputs(inputs)
            return time.monotonic() - started


def batch_items(jobs: Sequence[Job[ScorePayload]], max_images: int, max_cost: float) -> list[BatchItem]:
    """Choose the items of a batch from jobs of one shape: one input of each image, then others while there is room.

    There is room up to `max_images` items and `max_cost` pixels.
    """
    queues = [
        [BatchItem(job, index, one) for index, one in job.payload.open_inputs().items() if one.shape == job.shape]
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


def out_of_memory(error: Exception) -> bool:
    """Return whether an exception says that memory ran out, on a GPU or on a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # the CPU allocator has no exception type of its own
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
