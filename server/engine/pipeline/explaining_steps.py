"""ExplanationSteps: slices of explanations on the device, and their work for CPU threads."""

import logging
import time
from collections.abc import Callable
from functools import partial

from explain.attribution import Explanation
from explain.network.work_items import CpuTask
from server.engine.device import Device
from server.engine.explaining.explainer import Explainer
from server.engine.explaining.payload import ExplanationPayload
from server.engine.pipeline.dispatcher import Dispatcher
from server.engine.pipeline.pending_requests import PendingRequests
from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.pipeline.writer import PredictionWriter
from server.engine.scheduling.job import Batch, Job, Stage
from server.ipc.outcome import Failure, Outcome

logger = logging.getLogger(__name__)


class ExplanationSteps:
    """The steps of explaining, after decoding. `check_device` is called on the device's thread after a slice failed."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        requests: PendingRequests,
        device: Device,
        explainer: Explainer,
        writer: PredictionWriter,
        *,
        metrics: PipelineMetrics,
        check_device: Callable[[], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._scheduler = dispatcher.scheduler
        self._requests = requests
        self._device = device
        self._explainer = explainer
        self._writer = writer
        self._metrics = metrics
        self._check_device = check_device

    def run(self, batch: Batch) -> None:
        """Run one slice of the explanations of a batch, and queue what follows from it."""
        started = time.monotonic()
        with self._device.lock:
            locked = time.monotonic()
            found = self._explainer.run_slice(batch.jobs)
        ended = time.monotonic()
        seconds = ended - started
        self._metrics.explanation_slice(seconds, ended - locked)
        for job in batch.jobs:
            job.payload.device_s += seconds
        with self._dispatcher.lock:
            learn = found.work > 0 and not found.failed
            self._scheduler.finished(batch, seconds, learn=learn, work=found.work, again=found.again)
            for job in found.again:
                if job.stage is Stage.PARKED and job not in found.explained and job.payload.ready:
                    self._scheduler.resume(job)  # its CPU tasks were done first
            for job, failure in found.failures.items():
                self._requests.settle(job, failure, 0.0)
                job.payload.release()
            for job, cpu_task in found.cpu_tasks:
                self._scheduler.add_cpu_task(job.lane, partial(self._run_cpu_task, job, cpu_task))
            for job, explanation in found.explained.items():
                self._scheduler.add_cpu_task(job.lane, partial(self._encode, job, explanation))
            self._dispatcher.pump()
        if found.failed:
            self._check_device()

    def _run_cpu_task(self, job: Job[ExplanationPayload], cpu_task: CpuTask) -> None:
        if job.stage is Stage.DONE:  # cancelled or expired meanwhile
            return
        failure = None
        try:
            cpu_task.run()
        except Exception:
            logger.exception("regions of a picture failed request=%d index=%d", job.request, job.index)
            failure = Failure("scoring_failed", "The picture could not be explained. The server's log has the cause.")
        with self._dispatcher.lock:
            if failure is not None:
                self._give_up(job, failure, 0.0)
            elif job.stage is Stage.PARKED and job.payload.ready:
                self._scheduler.resume(job)

    def _encode(self, job: Job[ExplanationPayload], explanation: Explanation) -> None:
        if job.stage is Stage.DONE:
            return
        started = time.monotonic()
        outcome = self._writer.explained(job, explanation)
        with self._dispatcher.lock:
            self._give_up(job, outcome, time.monotonic() - started)
        job.payload.release()

    def _give_up(self, job: Job[ExplanationPayload], outcome: Outcome, encode_s: float) -> None:
        """Settle a job that is not on the device."""
        self._scheduler.give_up(job)
        self._requests.settle(job, outcome, encode_s)
