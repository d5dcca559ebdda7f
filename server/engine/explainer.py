"""Explainer: works on explanations in slices small enough for scoring to go in between.

A slice is one batch of rows, taken from the explanations that came first. Only the device's thread calls `slice_of`.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explain.attribution import Explanation
from explain.catalog import algorithm
from explain.errors import ExplanationError
from explain.method import Method
from explain.parameters import Parameters
from explain.passes import Passes
from explain.pictures.subject import Whole
from explain.quality import PASSES
from explain.regions import warm_up as compile_regions
from explain.rows import Aside, Look, Part, Path
from explain.run import Run, begin
from explain.subject import Choice, these
from explain.targets import choice, count
from models.images import ImageLimits, decode
from models.loaded import LoadedModel
from models.predictions import ClassScores
from server.engine.device import out_of_memory
from server.engine.explained import explained
from server.engine.jobs import Job, Stage
from server.engine.outcome import Failure

logger = logging.getLogger(__name__)

_WARM_UP = Method("integrated_gradients", n_steps=16)


@dataclass(slots=True)
class Task:
    """What an explanation keeps between its slices."""

    parameters: Parameters
    choose: Choice
    started: float = 0.0
    run: Run | None = None

    @property
    def draws_whole(self) -> bool:
        """Whether the encoded picture is needed once more at the end."""
        return self.parameters.visualizations and self.parameters.extent == "picture"

    def enough(self) -> bool:
        """Tell whether refining, which doubles the time, would end after the budget."""
        budget_ms = self.parameters.explain_budget_ms
        return budget_ms is not None and 3000 * (time.monotonic() - self.started) > budget_ms


@dataclass(slots=True)
class Slice:
    """What became of the jobs of one slice.

    `again` holds those that need the device again, see Scheduler.finished; `asides` the work for CPU threads that some
    of them wait for. `work` is the cost of the passes that were run.
    """

    again: dict[Job, tuple[Stage, float]] = field(default_factory=dict)
    asides: list[tuple[Job, Aside]] = field(default_factory=list)
    done: dict[Job, Explanation | Failure] = field(default_factory=dict)
    work: float = 0.0
    failed: bool = False


class Explainer:
    """Explanations of one model, in slices of up to `rows` rows."""

    def __init__(self, model: LoadedModel, rows: int) -> None:
        self._passes = Passes.through(model)
        self._rows = rows
        self._preprocess = model.preprocess
        self._labels = model.definition.labels
        self._independent = model.definition.task.name == "multilabel"

    def task(self, parameters: Parameters) -> Task:
        """Prepare an explanation; ExplanationError where this model cannot give it."""
        if algorithm(parameters.xai_algorithm).needs_cam_layer:
            self._passes.layer()
        return Task(parameters, choice(parameters, self._labels, independent=self._independent))

    def passes(self, parameters: Parameters) -> int:
        """Return how many passes through the network an explanation takes at most, as far as can be told."""
        targets = count(parameters, self._labels)
        measuring = PASSES * len(parameters.quality) * targets
        return algorithm(parameters.xai_algorithm).passes(Method.asked_for(parameters), targets) + measuring

    def reply(self, job: Job, prediction: ClassScores, explanation: Explanation, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained picture, on any thread."""
        task: Task = job.task
        scores = {"probs": prediction.probs, "labels": prediction.labels}
        whole = None
        if task.draws_whole:
            picture = np.asarray(decode(job.data, limits))
            whole = Whole(picture, self._preprocess.box(picture.shape[1], picture.shape[0]))
        return scores | explained(
            job.picture, prediction, explanation, task.parameters, independent=self._independent, whole=whole
        )

    def warm_up(self, model: LoadedModel) -> list[tuple[int, float]]:
        """Run slices of an example; returns (cost, seconds) of each but the first, which pays for memory."""
        compile_regions()
        run = begin(self._passes, model.example(1)[0], _WARM_UP, these(0))
        timings = []
        while run.explanation is None:
            while run.key is not None:
                started = time.monotonic()
                parts = run.take(self._rows, run.key)
                self._passes.run(parts)
                timings.append((model.pixels * _passes_of(parts), time.monotonic() - started))
            run.resume()
        return timings[-1:]

    def slice_of(self, jobs: Sequence[Job]) -> Slice:
        """Run one batch of rows of the first of these jobs, and of as many others as fit into it."""
        found = Slice()
        for job in jobs:
            if job.task.run is None:
                self._begin(job, found)
        self._run_rows([job for job in jobs if job not in found.done], found)
        for job in jobs:
            if job not in found.done:
                self._go_on(job, found)
        return found

    def _begin(self, job: Job, found: Slice) -> None:
        task: Task = job.task
        task.started = time.monotonic()
        try:
            method = Method.asked_for(task.parameters)
            task.run = begin(self._passes, job.picture, method, task.choose, task.enough)
        except Exception as error:
            found.done[job] = _failure(job, error)
            return
        found.asides += [(job, aside) for aside in task.run.asides()]

    def _run_rows(self, jobs: Sequence[Job], found: Slice) -> None:
        key = next((job.task.run.key for job in jobs if job.task.run.key is not None), None)
        taken: dict[Job, list[Part]] = {}
        room = self._rows
        for job in jobs:
            parts = job.task.run.take(room, key) if key is not None and room else []
            if parts:
                taken[job] = parts
                room -= sum(part.stop - part.start for part in parts)
        if taken:
            self._run_parts(taken, found)

    def _run_parts(self, taken: dict[Job, list[Part]], found: Slice) -> None:
        parts = [part for of_job in taken.values() for part in of_job]
        try:
            self._passes.run(parts)
            for job, of_job in taken.items():
                job.passes = max(1.0, job.passes - _passes_of(of_job))
                found.work += job.cost * _passes_of(of_job)
        except Exception as error:
            if len(parts) == 1 and parts[0].stop - parts[0].start == 1:
                (job,) = taken
                found.failed = True
                found.done[job] = _failure(job, error)
            else:
                self._run_apart(taken, found, error)

    def _run_apart(self, taken: dict[Job, list[Part]], found: Slice, error: Exception) -> None:
        if out_of_memory(error):
            rows = sum(part.stop - part.start for parts in taken.values() for part in parts)
            self._rows = max(1, min(self._rows, rows // 2))
            logger.warning("out of memory, slices of explanations are halved rows=%d", self._rows)
        for job, parts in taken.items():
            for part in parts:
                for row in range(part.start, part.stop):
                    if job not in found.done:
                        self._run_parts({job: [Part(part.rows, row, row + 1)]}, found)

    def _go_on(self, job: Job, found: Slice) -> None:
        run: Run = job.task.run
        try:
            while run.explanation is None and run.key is None and run.ready:
                run.resume()
                found.asides += [(job, aside) for aside in run.asides()]
        except Exception as error:
            found.done[job] = _failure(job, error)
            return
        if run.explanation is not None:
            found.done[job] = run.explanation
        else:
            found.again[job] = (Stage.READY if run.key is not None else Stage.PARKED, job.passes)


def _passes_of(parts: Sequence[Part]) -> int:
    total = 0
    for part in parts:
        match part.rows:
            case Path():
                each = 2
            case Look() as look:
                each = 1 + len(look.targets)
            case _:
                each = 1
        total += each * (part.stop - part.start)
    return total


def _failure(job: Job, error: Exception) -> Failure:
    if isinstance(error, ExplanationError):
        return Failure(error.code, str(error))
    if out_of_memory(error):
        return Failure("out_of_memory", "The device has not enough memory to explain this picture. Try again later.")
    logger.error("an explanation failed request=%d index=%d", job.request, job.index, exc_info=error)
    return Failure("scoring_failed", "The model failed on this picture. The server's log has the cause.")
