"""explain_together: explains several images at once, whose rows share batches."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from explain.attribution import Explanation
from explain.errors import ExplanationError
from explain.network.executor import Executor
from explain.network.work_items import CpuTask, WorkSlice
from explain.request.parameters import ExplanationParameters
from explain.request.targets import TargetSelector
from explain.run import ExplanationRun, begin
from models.errors import ModelError

Outcome = Explanation | ModelError | ExplanationError
RunTasks = Callable[[Iterable[CpuTask]], object]
"""Runs tasks on any threads, and returns when all are done."""


def explain_together(
    executor: Executor,
    images: Sequence[tuple[Tensor, TargetSelector]],
    parameters: ExplanationParameters,
    run_tasks: RunTasks,
    *,
    batch_size: int,
) -> list[Outcome]:
    """Explain images, uint8 [H, W, 3] on the CPU each, with the selectors of their targets.

    Selectors are asked in the order of the images. An image that cannot be explained leaves an error in its place.
    Raises ExplanationError where the network does not suit the algorithm, ModelError where memory runs out.
    """
    runs = [begin(executor, pixels, parameters, select) for pixels, select in images]
    failures: dict[int, Outcome] = {}
    waiting = dict(enumerate(runs))
    while waiting:
        run_tasks([task for run in waiting.values() for task in run.cpu_tasks()])
        while batch := _batch(waiting.values(), batch_size):
            try:
                executor.run(batch, batch_size)
            except torch.OutOfMemoryError:
                raise ModelError(
                    f"The device has no memory for a batch of {batch_size}. Give a smaller --batch-size."
                ) from None
        for place, run in list(waiting.items()):
            try:
                run.resume()
            except (ModelError, ExplanationError) as error:
                failures[place] = error
            if place in failures or run.explanation is not None:
                del waiting[place]
    return [failures.get(place) or _explained(run) for place, run in enumerate(runs)]


def _batch(runs: Iterable[ExplanationRun], size: int) -> list[WorkSlice]:
    """Take up to `size` rows of one kind; none where no run has any left."""
    taken: list[WorkSlice] = []
    key: tuple[object, ...] | None = None
    for run in runs:
        key = key or run.key
        if key is not None:
            taken += run.take(size - sum(each.count for each in taken), key)
    return taken


def _explained(run: ExplanationRun) -> Explanation:
    explanation: Explanation = run.explanation
    return explanation
