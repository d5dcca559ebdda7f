"""Explainer: computes explanations in slices that are short enough for scoring to run in between.

A slice is one batch of rows of the explanations that came first. Only the device's thread calls `run_slice`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from explain.errors import ExplanationError
from explain.network.work_items import CpuTask, WorkSlice
from explain.request.parameters import ExplanationParameters
from models.images.decoding import ImageLimits
from server.engine.device import OnDevice, out_of_memory
from server.engine.explaining.explained_model import ExplainedModel
from server.engine.explaining.payload import ExplanationPayload
from server.engine.explaining.slice_sizes import SliceSizes
from server.engine.payload import ImagePayload
from server.engine.scheduling.job import Job, Stage
from server.ipc.outcome import Failure

logger = logging.getLogger(__name__)

ExplanationJob = Job[ExplanationPayload]

PREDICTION_MARGIN = 2.0  # work is refused if it takes more than so many times the time left: predictions are inexact


@dataclass(slots=True)
class SliceResult:
    """The outcome of one slice, by job.

    - `unfinished`: the jobs that go on, as Scheduler.finished takes them: they need the device again, or wait for their
      CPU tasks, or are explained and wait to be written
    - `cpu_tasks`: new work for CPU threads
    - `explained`, `failures`: the jobs that have an explanation, and those that have failed
    - `work`: the cost of the passes that ran, in pixels
    - `failed`: whether a row failed by itself, so that the device must be checked
    """

    unfinished: dict[ExplanationJob, tuple[Stage, float]] = field(default_factory=dict)
    cpu_tasks: list[tuple[ExplanationJob, CpuTask]] = field(default_factory=list)
    explained: dict[ExplanationJob, Any] = field(default_factory=dict)
    failures: dict[ExplanationJob, Failure] = field(default_factory=dict)
    work: float = 0.0
    failed: bool = False


class Explainer:
    """Explains images with one model. `warm_up` measures the best sizes of slices."""

    def __init__(self, model: ExplainedModel) -> None:
        self._model = model
        self._sizes = SliceSizes()

    def payload(self, parameters: ExplanationParameters, image: ImagePayload) -> ExplanationPayload | None:
        """Return the payload that explains an image; None where the reply leaves the explanation out.

        Raises ExplanationError where this model cannot explain it so.
        """
        return self._model.payload(parameters, image)

    def max_passes(self, payload: ExplanationPayload) -> int:
        """Return the largest number of passes through the network that an explanation takes, as far as it is known."""
        return self._model.passes(payload).most

    def min_passes(self, payload: ExplanationPayload) -> int:
        """Return the least number of passes that an explanation takes."""
        return self._model.passes(payload).least

    def time_slice(self) -> tuple[float, float]:
        """Run a slice of an example on the device's thread, and return its (cost, seconds)."""
        size = self._sizes.gradients
        slices = self._model.example(size)
        started = time.monotonic()
        self._model.run(slices, size)
        return slices[0].item.passes * size * self._model.pixels, time.monotonic() - started

    def check_time(self, payload: ExplanationPayload, seconds: Callable[[int], float], left_s: float) -> None:
        """Refuse an explanation that cannot end within `left_s` seconds even if it runs alone.

        `seconds` predicts the seconds that a number of passes takes.
        Raises ExplanationError, code `deadline_exceeded`.
        """
        least = self.min_passes(payload)
        if (takes := seconds(least)) > PREDICTION_MARGIN * left_s:
            raise ExplanationError(
                "deadline_exceeded",
                f"This explanation takes {least} passes through the model, about {takes:.0f} s here, and the request "
                f"has {left_s:.0f} s. Ask for fewer n_steps, noise_samples or targets, or raise --request-timeout-ms.",
            )

    def reply(self, payload: ExplanationPayload, explanation: Any, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained image, on any thread."""
        return self._model.reply(payload, explanation, limits)

    def warm_up(self, max_rows: int, on_device: OnDevice[Any]) -> list[tuple[float, float]]:
        """Measure slices of up to `max_rows` rows and choose their sizes.

        Returns the (cost, seconds) of some slices. Call it on another thread than the device's. `on_device` runs one
        slice at a time on the device's thread: the engine scores in between, but it must not explain before this method
        returns.
        """
        self._sizes, costs = self._model.warm_up(max_rows, on_device)
        logger.info(
            "slices of explanations measured gradients=%d others=%d scored=%d",
            self._sizes.gradients,
            self._sizes.others,
            self._sizes.scored,
        )
        return costs

    def run_slice(self, jobs: Sequence[ExplanationJob]) -> SliceResult:
        """Run one batch of rows: those of the first job, then those of the others, as long as there is room."""
        result = SliceResult()
        taken: dict[ExplanationJob, list[WorkSlice]] = {}
        key, room = None, 1
        for job in jobs:
            if room and job.payload.run is None:
                self._begin(job, result)
            run = job.payload.run
            if run is None:
                continue
            if key is None and run.key is not None:
                key, room = run.key, self._sizes.of(run.key)
            if slices := run.take(room, key):
                taken[job] = slices
                room -= sum(one.count for one in slices)
        if key is not None:
            self._run_together(taken, result, self._sizes.of(key))
        for job in jobs:
            if job not in result.failures:
                self._advance(job, result)
        return result

    def _begin(self, job: ExplanationJob, result: SliceResult) -> None:
        payload = job.payload
        payload.started, payload.deadline = time.monotonic(), job.deadline
        try:
            payload.run = self._model.begin(payload)
        except Exception as error:
            result.failures[job] = _failure(job, error)
            return
        result.cpu_tasks += [(job, cpu_task) for cpu_task in payload.run.cpu_tasks()]

    def _run_together(self, taken: dict[ExplanationJob, list[WorkSlice]], result: SliceResult, size: int) -> None:
        slices = [one for of_job in taken.values() for one in of_job]
        try:
            self._model.run(slices, size)
            for job, of_job in taken.items():
                done = sum(one.item.passes * one.count for one in of_job)
                job.passes = max(1.0, job.passes - done)
            result.work += next(iter(taken)).cost * size * max(one.item.passes for one in slices)
        except Exception as error:
            if len(slices) == 1 and slices[0].count == 1:
                (job,) = taken
                result.failed = True
                result.failures[job] = _failure(job, error)
            else:
                self._run_apart(taken, result, error)

    def _run_apart(self, taken: dict[ExplanationJob, list[WorkSlice]], result: SliceResult, error: Exception) -> None:
        """Run the rows of a failed batch one by one, so that only those that fail by themselves are lost."""
        if out_of_memory(error):
            key = next(iter(taken.values()))[0].item.key
            self._sizes = self._sizes.halved(key)
            logger.warning("out of memory, halving slices of explanations rows=%d", self._sizes.of(key))
        for job, slices in taken.items():
            for one in slices:
                for row in range(one.start, one.stop):
                    if job not in result.failures:
                        self._run_together({job: [WorkSlice(one.item, row, row + 1)]}, result, 1)

    def _advance(self, job: ExplanationJob, result: SliceResult) -> None:
        """Resume the run of a job if its current stage is done, and note in `result` what the job needs next."""
        run = job.payload.run
        if run is None:  # there was no room for it in this slice
            result.unfinished[job] = (Stage.READY, job.passes)
            return
        try:
            while run.explanation is None and run.key is None and run.ready:
                run.resume()
                result.cpu_tasks += [(job, cpu_task) for cpu_task in run.cpu_tasks()]
        except Exception as error:
            result.failures[job] = _failure(job, error)
            return
        if run.explanation is not None:
            result.explained[job] = run.explanation
        passes = job.passes if run.explanation is None else 0.0
        result.unfinished[job] = (Stage.PARKED if run.key is None else Stage.READY, passes)


def _failure(job: ExplanationJob, error: Exception) -> Failure:
    if isinstance(error, ExplanationError):
        return Failure(error.code, str(error))
    if out_of_memory(error):
        return Failure("out_of_memory", "The device has not enough memory to explain this picture. Try again later.")
    logger.error("an explanation failed request=%d index=%d", job.request, job.index, exc_info=error)
    return Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")
