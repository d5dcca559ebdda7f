"""Explainer: computes explanations in slices that are short enough for scoring to run in between.

A slice is one batch of rows of the explanations that came first. Only the device's thread calls `run_slice`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from explain.algorithm import PassCount
from explain.attribution import Explanation
from explain.catalog import algorithm
from explain.errors import ExplanationError
from explain.integration.quadrature import Quadrature
from explain.network.executor import Executor
from explain.network.work_items import CpuTask, ForwardPass, PathGradients, TargetPass, WorkItem, WorkSlice
from explain.quality import PASSES_PER_MEASURE
from explain.regions.ranking import warm_up as compile_regions
from explain.rendering.attribution_image import FullImage
from explain.request.parameters import ExplanationParameters
from explain.request.targets import ExplainedTarget, fixed_targets, target_count, target_selector
from explain.run import begin
from models.classifier import Classifier
from models.images.decoding import ImageLimits, decode
from server.engine.device import OnDevice, out_of_memory
from server.engine.explaining.payload import ExplanationPayload
from server.engine.explaining.reply import explanation_reply
from server.engine.explaining.slice_sizes import SliceSizes, timings
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
    explained: dict[ExplanationJob, Explanation] = field(default_factory=dict)
    failures: dict[ExplanationJob, Failure] = field(default_factory=dict)
    work: float = 0.0
    failed: bool = False


class Explainer:
    """Explains images with one model. `warm_up` measures the best sizes of slices."""

    def __init__(self, model: Classifier) -> None:
        self._model = model
        self._executor = Executor.for_model(model)
        self._sizes = SliceSizes()
        self._preprocess = model.preprocess
        self._labels = model.definition.labels
        self._independent = model.definition.task.name == "multilabel"

    def payload(self, parameters: ExplanationParameters, image: ImagePayload) -> ExplanationPayload:
        """Return the payload that explains an image. Raises ExplanationError where this model cannot explain it so."""
        self._executor.require(algorithm(parameters.xai_algorithm).needs)
        selector = target_selector(parameters, self._labels, independent=self._independent)
        return ExplanationPayload(
            data=image.data, settings=image.settings, parameters=parameters, select_targets=selector
        )

    def max_passes(self, parameters: ExplanationParameters) -> int:
        """Return the largest number of passes through the network that an explanation takes, as far as it is known."""
        return self._passes(parameters).most

    def min_passes(self, parameters: ExplanationParameters) -> int:
        """Return the least number of passes that an explanation takes."""
        return self._passes(parameters).least

    def time_slice(self) -> tuple[float, float]:
        """Run a slice of an example on the device's thread, and return its (cost, seconds)."""
        size = self._sizes.gradients
        _, path = self._example(size)
        started = time.monotonic()
        self._executor.run([WorkSlice(path, 0, size)], size)
        return 2 * size * self._model.pixels, time.monotonic() - started

    def check_time(self, parameters: ExplanationParameters, seconds: Callable[[int], float], left_s: float) -> None:
        """Refuse an explanation that cannot end within `left_s` seconds even if it runs alone.

        `seconds` predicts the seconds that a number of passes takes.
        Raises ExplanationError, code `deadline_exceeded`.
        """
        least = self._passes(parameters).least
        if (takes := seconds(least)) > PREDICTION_MARGIN * left_s:
            raise ExplanationError(
                "deadline_exceeded",
                f"This explanation takes {least} passes through the model, about {takes:.0f} s here, and the request "
                f"has {left_s:.0f} s. Ask for fewer n_steps, noise_samples or labels, or raise --request-timeout-ms.",
            )

    def _passes(self, parameters: ExplanationParameters) -> PassCount:
        targets = target_count(parameters, self._labels)
        explaining = algorithm(parameters.xai_algorithm).passes(parameters, targets)
        measuring = PASSES_PER_MEASURE * len(parameters.quality) * targets
        return PassCount(explaining.least + measuring, explaining.most + measuring)

    def reply(self, payload: ExplanationPayload, explanation: Explanation, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained image, on any thread."""
        prediction = self._model.prediction(explanation.logits)
        scores = {"probs": prediction.probs, "labels": prediction.labels}
        full_image = None
        if payload.keeps_data:
            pixels = np.asarray(decode(payload.data, limits, exif=self._preprocess.statistics.exif))
            full_image = FullImage(pixels, self._preprocess.box(pixels.shape[1], pixels.shape[0]))
        return scores | explanation_reply(
            payload.pixels,
            prediction,
            explanation,
            payload.parameters,
            independent=self._independent,
            full_image=full_image,
        )

    def warm_up(self, max_rows: int, on_device: OnDevice[Any]) -> list[tuple[float, float]]:
        """Measure slices of up to `max_rows` rows and choose their sizes.

        Returns the (cost, seconds) of slices of path gradients. Call it on another thread than the device's.
        `on_device` runs one slice at a time on the device's thread: the engine scores in between, but it must not
        explain before this method returns.
        """
        compile_regions()
        # on the device's thread, since PyTorch fills tensors of this size with several threads
        forward, path = on_device(partial(self._example, max_rows))
        # fewer rows than threads would make these wait for each other
        threads = min(max_rows, on_device(torch.get_num_threads))
        gradients = timings(
            lambda size: self._executor.run([WorkSlice(path, 0, size)], size), max_rows, on_device, first=threads
        )
        others = timings(lambda size: self._executor.run([WorkSlice(forward, 0, 1)], size), max_rows, on_device)
        self._sizes = SliceSizes.best(gradients, others)
        logger.info("slices of explanations measured gradients=%d others=%d", self._sizes.gradients, self._sizes.others)
        return [(2 * size * self._model.pixels, seconds) for size, seconds in gradients.items()]

    def _example(self, rows: int) -> tuple[ForwardPass, PathGradients]:
        image = self._executor.explained_image(self._model.example(1)[0], fixed_targets(0))
        alphas, inputs = Quadrature((0.5,) * rows, (1.0,) * rows), image.inputs
        path = PathGradients(image.network, inputs, inputs, alphas, ExplainedTarget(0), "logit")
        return ForwardPass(image.network, inputs, "logit"), path

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
            payload.run = begin(
                self._executor, payload.pixels, payload.parameters, payload.select_targets, payload.out_of_time
            )
        except Exception as error:
            result.failures[job] = _failure(job, error)
            return
        result.cpu_tasks += [(job, cpu_task) for cpu_task in payload.run.cpu_tasks()]

    def _run_together(self, taken: dict[ExplanationJob, list[WorkSlice]], result: SliceResult, size: int) -> None:
        slices = [one for of_job in taken.values() for one in of_job]
        try:
            self._executor.run(slices, size)
            for job, of_job in taken.items():
                done = sum(_passes_per_row(one.item) * one.count for one in of_job)
                job.passes = max(1.0, job.passes - done)
            result.work += next(iter(taken)).cost * size * max(_passes_per_row(one.item) for one in slices)
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


def _passes_per_row(item: WorkItem) -> int:
    """Return the number of passes that a row of this item takes."""
    match item:
        case PathGradients():
            return 2
        case TargetPass():
            return 1 + len(item.targets)
        case _:
            return 1


def _failure(job: ExplanationJob, error: Exception) -> Failure:
    if isinstance(error, ExplanationError):
        return Failure(error.code, str(error))
    if out_of_memory(error):
        return Failure("out_of_memory", "The device has not enough memory to explain this picture. Try again later.")
    logger.error("an explanation failed request=%d index=%d", job.request, job.index, exc_info=error)
    return Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")
