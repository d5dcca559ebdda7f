"""ExplanationRun: one explanation on its way, from its picture to its attributions."""

from torch import Tensor

from explain.attribution import Explanation
from explain.catalog import algorithm
from explain.network.executor import Executor
from explain.network.explained_image import StopRefining, TargetSelector, never
from explain.network.work_items import CpuTask, ExplanationSteps, Needs, TargetGradients, WorkItem, WorkSlice
from explain.quality import measured
from explain.request.parameters import ExplanationParameters


class ExplanationRun:
    """Hands out what an algorithm needs, stage by stage, until `explanation` is there.

    Each stage: run `cpu_tasks()` on any thread; `take` rows and have `Executor.run` run them, until `key` is None; when
    `ready`, `resume` on the device's thread. A run that is dropped at any moment leaves nothing behind.
    """

    def __init__(self, steps: ExplanationSteps) -> None:
        self.explanation: Explanation | None = None
        self._steps = steps
        self._needs: Needs = ()
        self._waiting: list[WorkSlice] = []
        self.resume()

    @property
    def key(self) -> tuple[object, ...] | None:
        """The key of the rows that `take` would hand out next, None when none are left in this stage."""
        return self._waiting[0].rows.key if self._waiting else None

    @property
    def ready(self) -> bool:
        """Whether every need of this stage holds its result."""
        return all(need.done if isinstance(need, CpuTask) else need.finished == need.count for need in self._needs)

    def cpu_tasks(self) -> list[CpuTask]:
        """List the work for CPU threads of this stage."""
        return [need for need in self._needs if isinstance(need, CpuTask)]

    def take(self, most: int, key: tuple[object, ...] | None) -> list[WorkSlice]:
        """Hand out up to `most` rows whose key is `key`, to be run as a batch, perhaps with rows of other runs."""
        parts: list[WorkSlice] = []
        while most > 0 and self._waiting and self._waiting[0].rows.key == key:
            part = self._waiting.pop(0)
            stop = min(part.stop, part.start + most)
            if stop < part.stop:
                self._waiting.insert(0, WorkSlice(part.rows, stop, part.stop))
            parts.append(WorkSlice(part.rows, part.start, stop))
            most -= stop - part.start
        return parts

    def resume(self) -> None:
        """Go on to the next stage; only when `ready`."""
        assert self.ready, "a stage was left before its needs were met"
        for need in self._needs:
            if isinstance(need, TargetGradients) and need.error:
                raise need.error
        try:
            self._needs = next(self._steps)
        except StopIteration as end:
            self._needs = ()
            self.explanation = end.value
        rows: list[WorkItem] = [need for need in self._needs if not isinstance(need, CpuTask)]
        self._waiting = [WorkSlice(need, 0, need.count) for need in rows if need.finished < need.count]


def begin(
    passes: Executor,
    picture: Tensor,
    parameters: ExplanationParameters,
    choose: TargetSelector,
    enough: StopRefining = never,
) -> ExplanationRun:
    """Begin to explain a picture, uint8 [H, W, 3] on the CPU; `enough` as in Subject.

    ExplanationError where there is no such algorithm or the network does not suit it; later, while the run is on, for
    targets that do not exist. ModelError where the network computes no numbers.
    """
    chosen = algorithm(parameters.xai_algorithm)
    if chosen.needs_cam_layer:
        passes.layer()
    subject = passes.subject(picture, choose, enough)
    return ExplanationRun(measured(chosen.steps(subject, parameters), subject, parameters.quality))


def explain(
    passes: Executor,
    picture: Tensor,
    parameters: ExplanationParameters,
    choose: TargetSelector,
    enough: StopRefining = never,
    *,
    batch_size: int = 8,
) -> Explanation:
    """Explain a picture at once, in batches of `batch_size` rows. Arguments and errors are those of `begin`."""
    run = begin(passes, picture, parameters, choose, enough)
    while run.explanation is None:
        for cpu_task in run.cpu_tasks():
            cpu_task.run()
        while run.key is not None:
            passes.run(run.take(batch_size, run.key), batch_size)
        run.resume()
    return run.explanation
