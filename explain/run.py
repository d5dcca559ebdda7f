"""ExplanationRun: one explanation in progress, from an image to its attributions."""

from collections.abc import Callable, Generator
from typing import Any

from torch import Tensor

from explain.attribution import Explanation
from explain.catalog import algorithm
from explain.network.executor import Executor
from explain.network.explained_image import OutOfTime, no_time_limit
from explain.network.work_items import CpuTask, StageWork, TargetPass, WorkItem, WorkSlice
from explain.quality import with_quality
from explain.request.parameters import ExplanationParameters
from explain.request.targets import TargetSelector


class ExplanationRun:
    """Hands out the work of an algorithm, stage by stage, until `explanation` is set.

    In each stage, run `cpu_tasks()` on any thread, and `take` rows for `Executor.run` until `key` is None. When the run
    is `ready`, call `resume` on the device's thread. A run may be dropped at any moment without cleaning up.
    """

    def __init__(self, steps: Generator[StageWork, None, Any]) -> None:
        self.explanation: Any = None  # an Explanation, or an ObjectExplanation
        self._steps = steps
        self._work: StageWork = ()
        self._pending: list[WorkSlice] = []
        self.resume()

    @property
    def key(self) -> tuple[object, ...] | None:
        """The key of the rows that `take` would hand out next; None when none are left in this stage."""
        return self._pending[0].item.key if self._pending else None

    @property
    def ready(self) -> bool:
        """Whether all work of this stage is done."""
        return all(item.done if isinstance(item, CpuTask) else item.finished == item.count for item in self._work)

    def cpu_tasks(self) -> list[CpuTask]:
        """List the work of this stage for CPU threads."""
        return [item for item in self._work if isinstance(item, CpuTask)]

    def take(self, max_rows: int, key: tuple[object, ...] | None) -> list[WorkSlice]:
        """Hand out up to `max_rows` rows whose key is `key`, for a batch that may also hold rows of other runs."""
        taken: list[WorkSlice] = []
        while max_rows > 0 and self._pending and self._pending[0].item.key == key:
            first = self._pending.pop(0)
            stop = min(first.stop, first.start + max_rows)
            if stop < first.stop:
                self._pending.insert(0, WorkSlice(first.item, stop, first.stop))
            taken.append(WorkSlice(first.item, first.start, stop))
            max_rows -= taken[-1].count
        return taken

    def resume(self) -> None:
        """Go on to the next stage; only when `ready`. ExplanationError where a target does not exist."""
        assert self.ready, "a stage was left before its work was done"
        for item in self._work:
            if isinstance(item, TargetPass) and item.error:
                raise item.error
        try:
            self._work = next(self._steps)
        except StopIteration as end:
            self._work = ()
            self.explanation = end.value
        items: list[WorkItem] = [item for item in self._work if not isinstance(item, CpuTask)]
        self._pending = [WorkSlice(item, 0, item.count) for item in items if item.finished < item.count]


def begin(
    executor: Executor,
    pixels: Tensor,
    parameters: ExplanationParameters,
    select_targets: TargetSelector,
    out_of_time: OutOfTime = no_time_limit,
) -> ExplanationRun:
    """Begin to explain an image, uint8 [H, W, 3] on the CPU.

    Raises ExplanationError where the network does not suit the algorithm. The run raises it later for targets that do
    not exist, and ModelError where gradients are not finite.
    """
    chosen = algorithm(parameters.algorithm)
    executor.require(chosen.needs)
    image = executor.explained_image(pixels, select_targets, out_of_time)
    return ExplanationRun(with_quality(chosen.steps(image, parameters), image, parameters.quality))


def explain(
    executor: Executor,
    pixels: Tensor,
    parameters: ExplanationParameters,
    select_targets: TargetSelector,
    out_of_time: OutOfTime = no_time_limit,
    *,
    batch_size: int = 8,
) -> Explanation:
    """Explain an image at once, in batches of `batch_size` rows. Arguments and errors are those of `begin`."""
    run = begin(executor, pixels, parameters, select_targets, out_of_time)
    explanation: Explanation = finished(run, executor.run, batch_size)
    return explanation


def finished(run: ExplanationRun, run_rows: Callable[[list[WorkSlice], int], None], batch_size: int) -> Any:
    """Do all work of a run at once, and return its explanation; `run_rows` is the method `run` of an executor."""
    while run.explanation is None:
        for cpu_task in run.cpu_tasks():
            cpu_task.run()
        while run.key is not None:
            run_rows(run.take(batch_size, run.key), batch_size)
        run.resume()
    return run.explanation
