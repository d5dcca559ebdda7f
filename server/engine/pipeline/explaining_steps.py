"""ExplainingSteps: slices of explanations on the device, and their CPU tasks."""

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


class ExplainingSteps:
    """The steps of explanations after decoding. `check_device` runs on the device thread after a slice has failed."""

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
        """Run one slice of the explanations of a batch, and queue the work that follows."""
        started = time.monotonic()
        with self._device.computing() as locked:
            result = self._explainer.run_slice(batch.jobs)
        ended = time.monotonic()
        seconds = ended - started
        self._metrics.explanation_slice(seconds, ended - locked)
        for job in batch.jobs:
            job.payload.device_s += seconds
        with self._dispatcher.lock:
            learn = result.work > 0 and not result.failed
            self._scheduler.finished(batch, seconds, learn=learn, work=result.work, unfinished=result.unfinished)
            for job in result.unfinished:
                job.payload.parked = ended
                if job.stage is Stage.PARKED and job not in result.explained and job.payload.ready:
                    self._scheduler.resume(job)  # its CPU tasks ended before the slice did
            for job, failure in result.failures.items():
                self._requests.settle(job, failure, 0.0)
                job.payload.release()
            for job, cpu_task in result.cpu_tasks:
                self._scheduler.add_cpu_task(job.lane, partial(self._run_cpu_task, job, cpu_task))
            for job, explanation in result.explained.items():
                self._scheduler.add_cpu_task(job.lane, partial(self._encode, job, explanation))
            self._dispatcher.pump()
        if result.failed:
            self._check_device()

    def _run_cpu_task(self, job: Job[ExplanationPayload], cpu_task: CpuTask) -> None:
        if job.stage is Stage.DONE:  # cancelled or expired meanwhile
            return
        failure = None
        try:
            cpu_task.run()
        except Exception:
            logger.exception("a CPU task of an explanation failed request=%d index=%d", job.request, job.index)
            failure = Failure("scoring_failed", "The picture could not be explained. The server's log has the cause.")
        with self._dispatcher.lock:
            if failure is not None:
                self._give_up(job, failure, 0.0)
            elif job.stage is Stage.PARKED and job.payload.ready:
                job.payload.cpu_s += time.monotonic() - job.payload.parked
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
        """Drop a job that is not on the device, and settle it with its outcome."""
        self._scheduler.give_up(job)
        self._requests.settle(job, outcome, encode_s)
