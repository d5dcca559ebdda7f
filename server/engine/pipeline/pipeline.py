"""Pipeline: carries pictures through decode, device and encode, and answers each request once.

Decoding and encoding run on CPU threads, the model on one device thread. Every step ends by asking the scheduler,
under one lock, what comes next; nothing here waits or polls.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor

from explain.attribution import Explanation
from explain.network.work_items import CpuTask
from explain.request.parameters import ExplanationParameters
from models.errors import ImageError
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage, ModelInput
from server.engine.explaining.explainer import Explainer, ExplanationPayload
from server.engine.pipeline.device import Device, EngineModel, batch_items
from server.engine.pipeline.job_factory import JobFactory
from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.pipeline.writer import PredictionWriter
from server.engine.scheduling.jobs import DECODED_BATCHES, Batch, Chore, Job, Stage
from server.engine.scheduling.scheduler import Limits, Scheduler
from server.ipc.outcome import STAGES, Failure, Outcome, Reply
from server.metrics import DeploymentMetrics

logger = logging.getLogger(__name__)

_DROPPED = {"out_of_memory": "out_of_memory", "scoring_failed": "failed", "internal_error": "failed"}
_EXPIRED = Failure("deadline_exceeded", "The request was not scored before its deadline. Try again, or send less.")


@dataclass(slots=True, eq=False)
class _PendingRequest:
    number: int
    answer: Callable[[Reply], None]
    outcomes: list[Outcome | None]
    stages: dict[str, float] = field(default_factory=dict)
    left: int = 0


class Pipeline:
    """Owns the scheduler and the CPU threads; `device_thread` is the one on which the model was loaded, if it was.

    `health` is told False when a batch failed and True once the device has proved itself again; `broken` is called
    when it cannot, or when a thread ends by a bug: the process is of no use any more. `wake` is told the time at
    which `tick` has to be called next.
    """

    def __init__(
        self,
        device: Device,
        explainer: Explainer | None,
        device_thread: ThreadPoolExecutor,
        scheduler: Scheduler,
        image_limits: ImageLimits,
        *,
        metrics: DeploymentMetrics,
        cpu_threads: int,
        health: Callable[[bool], None],
        broken: Callable[[], None],
        wake: Callable[[float], None],
    ) -> None:
        self._device = device
        self._explainer = explainer
        self._intake = JobFactory(device.model, explainer, self._run_s)
        self._device_thread = device_thread
        self._scheduler = scheduler
        self._image_limits = image_limits
        self._writer = PredictionWriter(device, explainer, image_limits)
        self._metrics = metrics
        self._meters = PipelineMetrics(metrics)
        metrics.runtime(device.model.runtime, 1)
        self._health = health
        self._broken = broken
        self._wake = wake
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._requests: dict[int, _PendingRequest] = {}
        # threads for decoders and chores, and one more so that finished work never waits for a slow picture
        self._cpu = ThreadPoolExecutor(2 * cpu_threads + 1, thread_name_prefix="cpu")

    def submit(
        self,
        pictures: Sequence[bytes],
        deadline: float,
        answer: Callable[[Reply], None],
        explain: Mapping[int, ExplanationParameters] = MappingProxyType({}),
        settings: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
    ) -> int | float:
        """Take in a request and return its number; or, as a float, in how many seconds there may be room for it.

        `explain` says which of the pictures are to be explained, and how; `settings` what is to be set otherwise for
        which. `answer` is called once, from any thread, unless the request is cancelled. ExplanationError or
        RefusedError where the model cannot be asked for that.
        """
        now, number = time.monotonic(), next(self._numbers)
        jobs = self._intake.jobs(number, pictures, now=now, deadline=deadline, explain=explain, settings=settings)
        with self._lock:
            wait = self._scheduler.admit(jobs, now)
            if wait is not None:
                return wait
            self._requests[number] = _PendingRequest(number, answer, [None] * len(jobs), left=len(jobs))
            self._pump()
        return number

    def submit_batch(self, pictures: Tensor, answer: Callable[[Reply], None]) -> int:
        """Take in pictures that a decode worker decoded, uint8 [N, ...], and return their number, to be cancelled by.

        The one outcome is their outputs one after the other, float32 [N, C] as bytes.
        """
        now, number, pixels = time.monotonic(), next(self._numbers), len(pictures) * self._device.model.pixels
        job = Job(number, 0, pixels, 0, now, float("inf"), lane=DECODED_BATCHES, images=len(pictures))
        job.picture = DecodedImage((ModelInput(pictures, pixels),))
        with self._lock:
            self._requests[number] = _PendingRequest(number, answer, [None], left=1)
            self._scheduler.enter(job)
            self._pump()
        return number

    def _run_s(self, lane: str, cost: float, passes: float) -> float:
        with self._lock:
            return self._scheduler.run_s(lane, cost, passes)

    def cancel(self, number: int) -> None:
        """Forget a request whose client has left; what is not on the device yet never gets there."""
        with self._lock:
            self._requests.pop(number, None)
            spared = self._scheduler.cancel(number)
            for job in spared:
                job.release()
            self._metrics.cancelled.inc(len(spared))
            self._pump()

    def renew(self, model: EngineModel, limits: Limits, seen: Sequence[tuple[float, float]]) -> None:
        """Score with `model`, the same but faster, from the next batch on. It takes (cost, seconds) as `seen`."""
        with self._lock:
            self._metrics.runtime(self._device.model.runtime, 0)
            self._metrics.runtime(model.runtime, 1)
            self._device.model = model
            self._scheduler.renew(limits, "score", seen)
            self._pump()

    def open(self, lane: str, seen: Sequence[tuple[float, float]]) -> None:
        """Let the jobs of a lane run that have waited for it, and take (cost, seconds) as `seen`."""
        with self._lock:
            self._scheduler.open(lane, seen)
            self._pump()

    def tick(self) -> None:
        """Do what has become due: expire requests, start a batch that was held back."""
        with self._lock:
            self._pump()

    def _pump(self) -> None:
        now = time.monotonic()
        for number in self._scheduler.expire(now):
            self._expire(number)
        while (job := self._scheduler.next_decode()) is not None:
            self._start(self._cpu, self._decode, job)
        while (chore := self._scheduler.next_chore()) is not None:
            self._start(self._cpu, self._do, chore)
        while (batch := self._scheduler.next_batch(now)) is not None:
            if batch.lane == "explain":
                self._start(self._device_thread, self._explain, batch)
            else:
                self._start(self._device_thread, self._run, batch)
        self._meters.queue(self._scheduler, now)
        wake_at = self._scheduler.wake_at()
        if wake_at is not None:
            self._wake(wake_at)

    def _start(self, pool: ThreadPoolExecutor, step: Callable[..., None], *arguments: object) -> None:
        pool.submit(step, *arguments).add_done_callback(self._check)

    def _check(self, step: Future[None]) -> None:
        # an executor keeps exceptions to itself: without this a bug would leave its requests waiting for ever
        if (error := step.exception()) is not None:
            logger.critical("a step of the pipeline ended unexpectedly", exc_info=error)
            self._broken()

    def _decode(self, job: Job | None) -> None:
        while job is not None:
            failure = self._read(job)
            with self._lock:
                if failure is None:
                    self._decoded(job, time.monotonic())
                else:
                    self._scheduler.undecodable(job)
                    self._metrics.dropped("undecodable").inc()
                    self._settle(job, failure, 0.0)
                # this thread takes the next one itself, which spares a change of threads
                job = self._scheduler.next_decode()
                self._pump()

    def _read(self, job: Job) -> Failure | None:
        started = time.monotonic()
        failure = None
        try:
            job.picture = self._device.model.read(job.data, self._image_limits, job.settings)
        except ImageError as error:
            failure = Failure(error.code, str(error))
        except Exception:  # a decoder that breaks in a new way must not take its thread along
            logger.exception("decoding failed unexpectedly request=%d index=%d", job.request, job.index)
            failure = Failure("image_unreadable", "The picture could not be decoded.")
        job.decode_s = time.monotonic() - started
        if job.task is None or not job.task.draws_whole:
            job.data = b""
        return failure

    def _decoded(self, job: Job, now: float) -> None:
        inputs = job.open_inputs() if job.stage is Stage.DECODING and job.lane == "score" else {}
        if not inputs:
            self._scheduler.decoded(job, job.decode_s, now)
            return
        job.shape = inputs[0].shape
        cost = sum(one.pixels for one in inputs.values()) / len(inputs)
        self._scheduler.decoded(job, job.decode_s, now, passes=len(inputs), cost=cost)

    def _run(self, batch: Batch) -> None:
        started = time.monotonic()
        items = batch_items(batch.jobs, self._scheduler.limits.max_images, self._scheduler.max_cost)
        self._metrics.batch(sum(item.job.images for item in items))
        ran = self._device.run(items)
        seconds = time.monotonic() - started
        failures: dict[Job, Failure] = {}
        for item, output in zip(items, ran.outputs, strict=True):
            if isinstance(output, Failure):
                failures[item.job] = output
            else:
                item.job.found[item.index] = output
        again: dict[Job, tuple[Stage, float]] = {}
        for job in batch.jobs:
            job.device_s += seconds
            if job not in failures and (inputs := job.open_inputs()):
                again[job] = (Stage.READY, len(inputs))
                job.shape = next(iter(inputs.values())).shape
                # others take their turn between the tiles of an image that has many
                job.due += seconds
        with self._lock:
            if ran.too_large is not None:
                self._scheduler.shrink(ran.too_large)
            learn, work = not ran.failed and ran.too_large is None, sum(item.input.pixels for item in items)
            self._scheduler.finished(batch, seconds, learn=learn, work=work, again=again)
            # encoded by another thread; this one goes on with the next batch, after a look at the device if need be
            self._finish([(job, failures.get(job)) for job in batch.jobs if job not in again])
            self._pump()
        if ran.failed:
            self._probe()

    def _finish(self, jobs: Sequence[tuple[Job, Failure | None]]) -> None:
        if not self._device.model.slow_to_encode:
            self._start(self._cpu, self._encode, jobs)
            return
        for job, failure in jobs:
            self._scheduler.add_chore(Chore(job.lane, partial(self._encode, [(job, failure)])))

    def _explain(self, batch: Batch) -> None:
        assert self._explainer is not None
        started = time.monotonic()
        with self._device.turn:
            found = self._explainer.slice_of(batch.jobs)
        seconds = time.monotonic() - started
        self._metrics.slice_seconds.observe(seconds)
        for job in batch.jobs:
            job.device_s += seconds
        with self._lock:
            learn = found.work > 0 and not found.failed
            self._scheduler.finished(batch, seconds, learn=learn, work=found.work, again=found.again)
            for job in found.again:
                if job.stage is Stage.PARKED and job not in found.explained and job.task.run.ready:
                    self._scheduler.resume(job)  # its chores were done first
            for job, failure in found.failures.items():
                self._settle(job, failure, 0.0)
                job.release()
            for job, cpu_task in found.cpu_tasks:
                self._scheduler.add_chore(Chore(job.lane, partial(self._aside, job, job.task, cpu_task)))
            for job, explanation in found.explained.items():
                self._scheduler.add_chore(Chore(job.lane, partial(self._encode_explained, job, job.task, explanation)))
            self._pump()
        if found.failed:
            self._probe()

    def _do(self, chore: Chore) -> None:
        started = time.monotonic()
        chore.work()
        now = time.monotonic()
        with self._lock:
            self._scheduler.chore_done(chore, now - started, now)
            self._pump()

    def _aside(self, job: Job, task: ExplanationPayload, cpu_task: CpuTask) -> None:
        if job.stage is Stage.DONE:  # cancelled or expired meanwhile
            return
        failure = None
        try:
            cpu_task.run()
        except Exception:
            logger.exception("regions of a picture failed request=%d index=%d", job.request, job.index)
            failure = Failure("scoring_failed", "The picture could not be explained. The server's log has the cause.")
        with self._lock:
            if failure is not None:
                self._give_up(job, failure, 0.0)
            elif job.stage is Stage.PARKED and task.run is not None and task.run.ready:
                self._scheduler.resume(job)

    def _encode_explained(self, job: Job, task: ExplanationPayload, explanation: Explanation) -> None:
        if job.stage is Stage.DONE:
            return
        started = time.monotonic()
        outcome = self._writer.explained(job, task, explanation)
        with self._lock:
            self._give_up(job, outcome, time.monotonic() - started)
        job.release()

    def _give_up(self, job: Job, outcome: Outcome, encode_s: float) -> None:
        """Settle a job that is not on the device."""
        self._scheduler.give_up(job)
        self._settle(job, outcome, encode_s)

    def _probe(self) -> None:
        self._health(False)
        try:
            self._device.probe()
        except Exception:
            # a device that fails on a plain grey picture stays broken; only a new process helps
            logger.critical("the device failed its probe", exc_info=True)
            self._broken()
        else:
            self._health(True)

    def _encode(self, jobs: Sequence[tuple[Job, Failure | None]]) -> None:
        settled = []
        for job, failure in jobs:
            started = time.monotonic()
            if job.request in self._requests:  # else cancelled or expired meanwhile
                outcome = failure or self._writer.scored(job)
                settled.append((job, outcome, time.monotonic() - started))
        with self._lock:
            for job, outcome, seconds in settled:
                self._settle(job, outcome, seconds)
        for job, _ in jobs:
            job.release()

    def _settle(self, job: Job, outcome: Outcome, encode_s: float) -> None:
        counts = job.lane != DECODED_BATCHES  # what becomes of its pictures a decode worker counts itself
        if counts and isinstance(outcome, Failure) and outcome.code in _DROPPED:
            self._metrics.dropped(_DROPPED[outcome.code]).inc()
        request = self._requests.get(job.request)
        if request is None:  # cancelled or expired meanwhile
            return
        queue_s = max(0.0, job.started - job.arrived - job.decode_s) if job.started else 0.0
        seconds = dict(zip(STAGES, (job.decode_s, queue_s, job.device_s, encode_s), strict=True))
        if counts:
            self._meters.stages(seconds)
        request.outcomes[job.index] = outcome
        request.stages = max(request.stages, seconds, key=lambda stages: sum(stages.values()))
        request.left -= 1
        if not request.left:
            self._answer(request)

    def _expire(self, number: int) -> None:
        request = self._requests.get(number)
        if request is not None:
            self._metrics.dropped("deadline").inc(request.left)
            request.outcomes = [_EXPIRED if outcome is None else outcome for outcome in request.outcomes]
            self._answer(request)

    def _answer(self, request: _PendingRequest) -> None:
        del self._requests[request.number]
        outcomes = [outcome for outcome in request.outcomes if outcome is not None]
        request.answer(Reply(outcomes, request.stages))
