"""Explainer: works on explanations in slices small enough for scoring to go in between.

A slice is one batch of rows, taken from the explanations that came first. Only the device's thread calls `slice_of`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from explain.attribution import Explanation
from explain.catalog import algorithm
from explain.errors import ExplanationError
from explain.integration.quadrature import Quadrature
from explain.method import Method
from explain.network.executor import Executor
from explain.network.explained_image import TargetSelector, fixed_targets
from explain.network.work_items import CpuTask, ForwardPass, PathGradients, TargetGradients, WorkItem, WorkSlice
from explain.quality import PASSES
from explain.regions.ranking import warm_up as compile_regions
from explain.rendering.attribution_image import FullImage
from explain.request.parameters import ExplanationParameters
from explain.request.targets import choice, count
from explain.run import ExplanationRun, begin
from models.classifier import Classifier
from models.images.decoding import ImageLimits, decode
from server.engine.explaining.reply import explained
from server.engine.explaining.slice_sizes import SliceSizes, timings
from server.engine.pipeline.device import OnDevice, out_of_memory
from server.engine.scheduling.jobs import Job, Stage
from server.ipc.outcome import Failure

logger = logging.getLogger(__name__)

_MARGIN = 1.2  # of time: an explanation must also be written
SURELY = 2.0  # times what is left before the deadline: predictions are not exact


@dataclass(slots=True)
class ExplanationPayload:
    """What an explanation keeps between its slices. `picture` is decoded, `data` is not, and kept only if drawn."""

    parameters: ExplanationParameters
    choose: TargetSelector
    picture: Tensor = field(init=False)
    data: bytes = b""
    started: float = 0.0
    deadline: float = float("inf")
    run: ExplanationRun | None = None

    @property
    def draws_whole(self) -> bool:
        """Whether the encoded picture is needed once more at the end."""
        return self.parameters.visualizations and self.parameters.extent == "picture"

    def enough(self, growth: float) -> bool:
        """Tell whether refining, by this share of the work so far, would end too late."""
        budget_ms = self.parameters.explain_budget_ms
        end = self.deadline if budget_ms is None else min(self.deadline, self.started + budget_ms / 1000)
        now = time.monotonic()
        return now + _MARGIN * growth * (now - self.started) > end


@dataclass(slots=True)
class Slice:
    """What became of the jobs of one slice.

    `again` holds those that are not over, see Scheduler.finished: they need the device again, or wait for `cpu_tasks`,
    their work for CPU threads, or are `explained` and wait to be written. `work` is the cost of the passes that were
    run.
    """

    again: dict[Job, tuple[Stage, float]] = field(default_factory=dict)
    cpu_tasks: list[tuple[Job, CpuTask]] = field(default_factory=list)
    explained: dict[Job, Explanation] = field(default_factory=dict)
    failures: dict[Job, Failure] = field(default_factory=dict)
    work: float = 0.0
    failed: bool = False


class Explainer:
    """Explanations of one model, in slices whose sizes `warm_up` finds."""

    def __init__(self, model: Classifier) -> None:
        self._model = model
        self._executor = Executor.through(model)
        self._sizes = SliceSizes()
        self._preprocess = model.preprocess
        self._labels = model.definition.labels
        self._independent = model.definition.task.name == "multilabel"

    def task(self, parameters: ExplanationParameters) -> ExplanationPayload:
        """Prepare an explanation; ExplanationError where this model cannot give it."""
        if algorithm(parameters.xai_algorithm).needs_cam_layer:
            self._executor.layer()
        return ExplanationPayload(parameters, choice(parameters, self._labels, independent=self._independent))

    def passes(self, parameters: ExplanationParameters) -> int:
        """Return how many passes through the network an explanation takes at most, as far as can be told."""
        return self._passes_by(Method.asked_for(parameters), parameters)

    def check_time(self, parameters: ExplanationParameters, seconds: Callable[[int], float], left_s: float) -> None:
        """Refuse what cannot end in time even alone: ExplanationError. `seconds` predicts those of so many passes."""
        least = self._passes_by(replace(Method.asked_for(parameters), max_steps=0), parameters)
        if (takes := seconds(least)) > SURELY * left_s:
            raise ExplanationError(
                "deadline_exceeded",
                f"This explanation takes {least} passes through the model, about {takes:.0f} s here, and the request "
                f"has {left_s:.0f} s. Ask for fewer n_steps, noise_samples or labels, or raise --request-timeout-ms.",
            )

    def _passes_by(self, method: Method, parameters: ExplanationParameters) -> int:
        targets = count(parameters, self._labels)
        measuring = PASSES * len(parameters.quality) * targets
        return algorithm(method.algorithm).passes(method, targets) + measuring

    def reply(self, task: ExplanationPayload, explanation: Explanation, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained picture, on any thread."""
        prediction = self._model.prediction(explanation.logits)
        scores = {"probs": prediction.probs, "labels": prediction.labels}
        whole = None
        if task.draws_whole:
            picture = np.asarray(decode(task.data, limits, exif=self._preprocess.statistics.exif))
            whole = FullImage(picture, self._preprocess.box(picture.shape[1], picture.shape[0]))
        return scores | explained(
            task.picture, prediction, explanation, task.parameters, independent=self._independent, whole=whole
        )

    def warm_up(self, most: int, on_device: OnDevice[Any]) -> list[tuple[float, float]]:
        """Find the sizes of slices, of up to `most` rows; returns (cost, seconds) of those of gradients.

        For another thread than the one that computes, which `on_device` lends for a slice at a time: the engine scores
        in between, but is not to explain before.
        """
        compile_regions()
        score, path = on_device(self._example)  # large enough for PyTorch to fill them on several threads
        gradients = timings(lambda size: self._executor.run([WorkSlice(path, 0, 1)], size), most, on_device)
        others = timings(lambda size: self._executor.run([WorkSlice(score, 0, 1)], size), most, on_device)
        self._sizes = SliceSizes.best(gradients, others)
        logger.info("slices of explanations gradients=%d others=%d", self._sizes.gradients, self._sizes.others)
        return [(2 * size * self._model.pixels, seconds) for size, seconds in gradients.items()]

    def _example(self) -> tuple[ForwardPass, PathGradients]:
        inputs = self._executor.subject(self._model.example(1)[0], fixed_targets(0)).inputs
        return ForwardPass(inputs, "logit"), PathGradients(inputs, inputs, Quadrature((0.5,), (1.0,)), 0, "logit")

    def slice_of(self, jobs: Sequence[Job]) -> Slice:
        """Run one batch of rows of the first of these jobs, and of as many others as fit into it."""
        found = Slice()
        taken: dict[Job, list[WorkSlice]] = {}
        key, room = None, 1
        for job in jobs:
            if room and job.task.run is None:
                self._begin(job, found)
            run: ExplanationRun | None = job.task.run
            if run is None:
                continue
            if key is None and run.key is not None:
                key, room = run.key, self._sizes.of(run.key)
            if parts := run.take(room, key):
                taken[job] = parts
                room -= sum(part.stop - part.start for part in parts)
        if key is not None:
            self._run_parts(taken, found, self._sizes.of(key))
        for job in jobs:
            if job not in found.failures:
                self._go_on(job, found)
        return found

    def _begin(self, job: Job, found: Slice) -> None:
        task: ExplanationPayload = job.task
        task.started, task.deadline = time.monotonic(), job.deadline
        assert job.picture is not None
        task.picture, task.data = job.picture.inputs[0].data, job.data
        try:
            method = Method.asked_for(task.parameters)
            task.run = begin(self._executor, task.picture, method, task.choose, task.enough)
        except Exception as error:
            found.failures[job] = _failure(job, error)
            return
        found.cpu_tasks += [(job, cpu_task) for cpu_task in task.run.cpu_tasks()]

    def _run_parts(self, taken: dict[Job, list[WorkSlice]], found: Slice, size: int) -> None:
        parts = [part for of_job in taken.values() for part in of_job]
        try:
            self._executor.run(parts, size)
            for job, of_job in taken.items():
                job.passes = max(
                    1.0, job.passes - sum(_executor(part.rows) * (part.stop - part.start) for part in of_job)
                )
            found.work += next(iter(taken)).cost * size * max(_executor(part.rows) for part in parts)
        except Exception as error:
            if len(parts) == 1 and parts[0].stop - parts[0].start == 1:
                (job,) = taken
                found.failed = True
                found.failures[job] = _failure(job, error)
            else:
                self._run_apart(taken, found, error)

    def _run_apart(self, taken: dict[Job, list[WorkSlice]], found: Slice, error: Exception) -> None:
        if out_of_memory(error):
            key = next(iter(taken.values()))[0].rows.key
            self._sizes = self._sizes.halved(key)
            logger.warning("out of memory, slices of explanations are halved rows=%d", self._sizes.of(key))
        for job, parts in taken.items():
            for part in parts:
                for row in range(part.start, part.stop):
                    if job not in found.failures:
                        self._run_parts({job: [WorkSlice(part.rows, row, row + 1)]}, found, 1)

    def _go_on(self, job: Job, found: Slice) -> None:
        run: ExplanationRun | None = job.task.run
        if run is None:  # its turn has not come
            found.again[job] = (Stage.READY, job.passes)
            return
        try:
            while run.explanation is None and run.key is None and run.ready:
                run.resume()
                found.cpu_tasks += [(job, cpu_task) for cpu_task in run.cpu_tasks()]
        except Exception as error:
            found.failures[job] = _failure(job, error)
            return
        if run.explanation is not None:
            found.explained[job] = run.explanation
        passes = job.passes if run.explanation is None else 0.0
        found.again[job] = (Stage.PARKED if run.key is None else Stage.READY, passes)


def _executor(rows: WorkItem) -> int:
    """Return how many passes a row of these takes."""
    match rows:
        case PathGradients():
            return 2
        case TargetGradients():
            return 1 + len(rows.targets)
        case _:
            return 1


def _failure(job: Job, error: Exception) -> Failure:
    if isinstance(error, ExplanationError):
        return Failure(error.code, str(error))
    if out_of_memory(error):
        return Failure("out_of_memory", "The device has not enough memory to explain this picture. Try again later.")
    logger.error("an explanation failed request=%d index=%d", job.request, job.index, exc_info=error)
    return Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")
