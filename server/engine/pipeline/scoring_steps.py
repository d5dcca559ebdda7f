"""ScoringSteps: the steps of images to be scored: decoding, forward pass and encoding."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial

from models.errors import ImageError
from models.images.decoding import ImageLimits
from models.images.inspection import is_costly
from server.engine.device import Device, batch_items
from server.engine.memory import growth_given_back
from server.engine.payload import ImagePayload, ScorePayload
from server.engine.pipeline.dispatcher import Dispatcher
from server.engine.pipeline.pending_requests import PendingRequests
from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.pipeline.writer import PredictionWriter
from server.engine.scheduling.job import AnyJob, Batch, Job, Stage
from server.engine.workers.isolated_decoder import IsolatedDecoder
from server.ipc.outcome import Failure

logger = logging.getLogger(__name__)


class ScoringSteps:
    """The steps of scoring. Images to be explained are decoded here too.

    `check_device` runs on the device thread after a batch has failed.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        requests: PendingRequests,
        device: Device,
        writer: PredictionWriter,
        image_limits: ImageLimits,
        *,
        isolated: IsolatedDecoder,
        metrics: PipelineMetrics,
        check_device: Callable[[], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._scheduler = dispatcher.scheduler
        self._requests = requests
        self._device = device
        self._writer = writer
        self._image_limits = image_limits
        self._isolated = isolated
        self._metrics = metrics
        self._check_device = check_device

    def decode(self, first: AnyJob) -> None:
        """Decode a job, then others as long as there are any, which avoids a change of threads for each."""
        job: AnyJob | None = first
        while job is not None:
            costly = is_costly(job.payload.data)
            failure = None if costly else self._read(job, self._image_limits)
            with self._dispatcher.lock:
                if costly:
                    self._scheduler.isolate(job)
                    self._dispatcher.in_isolation(partial(self._decode_in_isolation, job))
                elif failure is None:
                    seconds = job.payload.decode_s
                    self._scheduler.decoded(job, seconds, time.monotonic(), **self._needs(job, Stage.DECODING))
                else:
                    self._scheduler.undecodable(job)
                    self._fail(job, failure)
                job = self._scheduler.next_decode()
                self._dispatcher.pump()

    def _decode_in_isolation(self, job: AnyJob) -> None:
        if job.stage is Stage.DONE:  # cancelled or expired meanwhile
            return
        with growth_given_back():
            failure = self._read(job, self._isolated.limits(lambda: job.stage is Stage.DONE))
        with self._dispatcher.lock:
            if failure is None:
                self._scheduler.decoded_in_isolation(job, time.monotonic(), **self._needs(job, Stage.PARKED))
            else:
                self._scheduler.give_up(job)
                self._fail(job, failure)
            self._dispatcher.pump()

    def _fail(self, job: AnyJob, failure: Failure) -> None:
        self._metrics.dropped("undecodable")
        self._requests.settle(job, failure, 0.0)

    def _read(self, job: Job[ImagePayload], limits: ImageLimits) -> Failure | None:
        started, payload = time.monotonic(), job.payload
        failure = None
        try:
            payload.image = self._device.model.read(payload.data, limits, payload.settings)
        except ImageError as error:
            failure = Failure(error.code, str(error))
        except Exception:  # an unforeseen error of a decoder must not end its thread
            logger.exception("decoding failed unexpectedly request=%d index=%d", job.request, job.index)
            failure = Failure("image_unreadable", "The picture could not be decoded.")
        payload.decode_s = time.monotonic() - started
        if not payload.keeps_data:
            payload.data = b""
        return failure

    def _needs(self, job: Job[ImagePayload], stage: Stage) -> dict[str, float]:
        """Return what a decoded job turns out to need: `passes` and their `cost`; nothing where only estimates are."""
        payload = job.payload
        if job.stage is not stage or not isinstance(payload, ScorePayload):
            return {}
        inputs = payload.open_inputs()
        job.shape = inputs[0].shape
        return {"passes": len(inputs), "cost": sum(one.pixels for one in inputs.values()) / len(inputs)}

    def run(self, batch: Batch) -> None:
        """Run one batch on the device, and hand jobs that have all their outputs to CPU threads for encoding."""
        started = time.monotonic()
        items = batch_items(batch.jobs, self._scheduler.limits.max_images, self._scheduler.max_cost)
        result = self._device.run(items)
        seconds = time.monotonic() - started
        self._metrics.batch(sum(item.job.images for item in items), result.busy_s)
        failures: dict[AnyJob, Failure] = {}
        for item, output in zip(items, result.outputs, strict=True):
            if isinstance(output, Failure):
                failures[item.job] = output
            else:
                item.job.payload.outputs[item.index] = output
        unfinished = self._unfinished(batch, failures, seconds)
        with self._dispatcher.lock:
            if result.too_large is not None:
                self._scheduler.shrink(result.too_large)
            learn, work = not result.failed and result.too_large is None, sum(item.input.pixels for item in items)
            self._scheduler.finished(batch, seconds, learn=learn, work=work, unfinished=unfinished)
            # other threads encode; this one runs the next batch, or checks the device first
            self._finish([(job, failures.get(job)) for job in batch.jobs if job not in unfinished])
            self._dispatcher.pump()
        if result.failed:
            self._check_device()

    def _unfinished(
        self, batch: Batch, failures: dict[AnyJob, Failure], seconds: float
    ) -> dict[AnyJob, tuple[Stage, float]]:
        """Return the jobs that have inputs left, with their next stage and the passes that they still need."""
        unfinished: dict[AnyJob, tuple[Stage, float]] = {}
        for job in batch.jobs:
            job.payload.device_s += seconds
            if job not in failures and (inputs := job.payload.open_inputs()):
                unfinished[job] = (Stage.READY, len(inputs))
                job.shape = next(iter(inputs.values())).shape
                # other images run between the tiles of an image that has many
                job.due += seconds
        return unfinished

    def _finish(self, jobs: Sequence[tuple[Job[ScorePayload], Failure | None]]) -> None:
        if not self._device.model.slow_to_encode:
            self._dispatcher.on_cpu(partial(self._encode, jobs))
            return
        for job, failure in jobs:
            self._scheduler.add_cpu_task(job.lane, partial(self._encode, [(job, failure)]))

    def _encode(self, jobs: Sequence[tuple[Job[ScorePayload], Failure | None]]) -> None:
        settled = []
        for job, failure in jobs:
            started = time.monotonic()
            if job.request in self._requests:  # else cancelled or expired meanwhile
                outcome = failure or self._writer.scored(job)
                settled.append((job, outcome, time.monotonic() - started))
        with self._dispatcher.lock:
            for job, outcome, seconds in settled:
                self._requests.settle(job, outcome, seconds)
        for job, _ in jobs:
            job.payload.release()
