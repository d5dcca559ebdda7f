"""Pipeline: decodes images, runs the model, encodes predictions, and answers each request once.

Decoding and encoding run on CPU threads, the model on one device thread. The scheduler decides what comes next, the
dispatcher starts it, the steps do it, and the pending requests collect the outcomes.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor

from explain.errors import ExplanationError
from explain.request.parameters import ExplanationParameters
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage, ModelInput
from server.engine.device import Device
from server.engine.engine_model import EngineModel
from server.engine.explaining.explainer import Explainer
from server.engine.payload import ScorePayload
from server.engine.pipeline.dispatcher import Dispatcher, Steps
from server.engine.pipeline.explaining_steps import ExplainingSteps
from server.engine.pipeline.job_factory import JobFactory
from server.engine.pipeline.pending_requests import PendingRequests
from server.engine.pipeline.pipeline_metrics import PipelineMetrics
from server.engine.pipeline.scoring_steps import ScoringSteps
from server.engine.pipeline.writer import PredictionWriter
from server.engine.scheduling.job import DECODED_BATCHES, Batch, Job
from server.engine.scheduling.scheduler import Limits, Scheduler
from server.engine.workers.isolated_decoder import IsolatedDecoder
from server.ipc.outcome import RefusedError, Reply
from server.metrics import DeploymentMetrics

logger = logging.getLogger(__name__)

_REFUSED_BY_PREDICTION = ("deadline_exceeded", "too_many_images")


class Pipeline:
    """Takes in requests. `device_thread` runs batches: on the thread that loaded the model, if it has weights.

    `broken` is called when the device fails its check after a batch has failed, or when a step raises an unexpected
    exception: the process must be replaced then.
    `wake` is called with the time at which `tick` must be called next.
    """

    def __init__(
        self,
        device: Device,
        explainer: Explainer | None,
        device_thread: ThreadPoolExecutor,
        scheduler: Scheduler,
        image_limits: ImageLimits,
        *,
        isolated: IsolatedDecoder,
        metrics: DeploymentMetrics,
        cpu_threads: int,
        broken: Callable[[], None],
        wake: Callable[[float], None],
    ) -> None:
        self._device = device
        self._scheduler = scheduler
        self._broken = broken
        self._metrics = PipelineMetrics(metrics)
        self._metrics.runtime(device.model.runtime, 1)
        self._requests = PendingRequests(self._metrics)
        self._jobs = JobFactory(device.model, explainer, self._run_s, self._decode_s)
        self._dispatcher = Dispatcher(
            scheduler, device_thread, cpu_threads, metrics=self._metrics, wake=wake, broken=broken
        )
        writer = PredictionWriter(device, explainer, image_limits)
        shared: dict[str, Any] = {"metrics": self._metrics, "check_device": self._check_device}
        self._scoring = ScoringSteps(
            self._dispatcher, self._requests, device, writer, image_limits, isolated=isolated, **shared
        )
        self._explainer = explainer
        self._measuring = False
        self._explaining = None
        if explainer is not None:
            self._explaining = ExplainingSteps(self._dispatcher, self._requests, device, explainer, writer, **shared)
        self._dispatcher.steps = Steps(self._scoring.decode, self._run, self._requests.expire)
        self._lock, self._pump, self.tick = self._dispatcher.lock, self._dispatcher.pump, self._dispatcher.tick

    def submit(
        self,
        images: Sequence[bytes],
        deadline: float,
        answer: Callable[[Reply], None],
        explain: Mapping[int, ExplanationParameters] = MappingProxyType({}),
        settings: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
    ) -> int | float:
        """Take in a request and return its number; or, as a float, the seconds after which there may be room for it.

        `explain` holds the parameters of the images to be explained, `settings` the `inference_parameters` of those
        that have some, both by index. `answer` is called once, from any thread, unless the request is cancelled.
        Raises ExplanationError or RefusedError where this model cannot process the request.
        """
        now, number = time.monotonic(), self._requests.new_number()
        try:
            jobs = self._jobs.jobs(number, images, now=now, deadline=deadline, explain=explain, settings=settings)
        except (ExplanationError, RefusedError) as error:
            if error.code in _REFUSED_BY_PREDICTION:
                self._measure("explain" if explain else "score", now)
            raise
        with self._lock:
            wait = self._scheduler.admit(jobs, now)
            if wait is not None:
                return wait
            self._requests.add(number, len(jobs), answer)
            self._pump()
        return number

    def submit_batch(self, images: Tensor, answer: Callable[[Reply], None]) -> int:
        """Take in images that a decode worker has decoded, uint8 [N, ...], and return the number of this request.

        Its one outcome holds their outputs one after the other, float32 [N, C] as bytes.
        """
        now, number = time.monotonic(), self._requests.new_number()
        pixels = len(images) * self._device.model.pixels
        payload = ScorePayload(image=DecodedImage((ModelInput(images, pixels),)))
        job = Job(number, 0, pixels, 0, now, float("inf"), payload, lane=DECODED_BATCHES, images=len(images))
        with self._lock:
            self._requests.add(number, 1, answer)
            self._scheduler.add_decoded(job)
            self._pump()
        return number

    def cancel(self, number: int) -> None:
        """Drop a request whose client has left. Its jobs that have not started on the device never do."""
        with self._lock:
            self._requests.forget(number)
            cancelled = self._scheduler.cancel(number)
            for job in cancelled:
                job.payload.release()
            self._metrics.cancelled(len(cancelled))
            self._pump()

    def replace_model(self, model: EngineModel, limits: Limits, costs: Sequence[tuple[float, float]]) -> None:
        """Score with another runtime from the next batch on. `costs` are the (cost, seconds) of some of its batches."""
        with self._lock:
            self._metrics.runtime(self._device.model.runtime, 0)
            self._metrics.runtime(model.runtime, 1)
            self._device.model = model
            self._scheduler.replace_limits(limits, "score", costs)
            self._pump()

    def open_lane(self, lane: str, costs: Sequence[tuple[float, float]]) -> None:
        """Let the waiting jobs of a lane run. `costs` are the (cost, seconds) of some of its batches."""
        with self._lock:
            self._scheduler.open(lane, costs)
            self._pump()

    def has_jobs(self, lane: str) -> bool:
        """Return whether any job of a lane is queued or running."""
        with self._lock:
            return self._scheduler.lane_depth(lane) > 0

    def _run(self, batch: Batch) -> None:
        if batch.lane == "explain":
            assert self._explaining is not None
            self._explaining.run(batch)
        else:
            self._scoring.run(batch)

    def _run_s(self, lane: str, cost: float, passes: float) -> float:
        with self._lock:
            return self._scheduler.run_s(lane, cost, passes)

    def _decode_s(self, size: int, images: int) -> float:
        with self._lock:
            return self._scheduler.decode_s(size, images)

    def _measure(self, lane: str, now: float) -> None:
        """Run an example if the predictions for a lane may be outdated: what is refused would never be measured."""
        with self._lock:
            if not self._measuring and self._scheduler.needs_measuring(lane, now):
                self._measuring = True
                self._dispatcher.on_device(partial(self._run_example, lane))

    def _run_example(self, lane: str) -> None:
        try:
            with self._device.computing():
                if lane == "explain" and self._explainer is not None:
                    cost, seconds = self._explainer.time_slice()
                else:
                    cost, seconds = self._device.model.pixels, self._device.time_example(1)
            with self._lock:
                self._scheduler.learn(lane, cost, seconds, time.monotonic())
        except Exception:
            logger.warning("an example failed, predictions are not renewed", exc_info=True)
        finally:
            self._measuring = False

    def _check_device(self) -> None:
        """Score an example after a batch failed. A device that fails on the example too stays broken.

        Requests wait meanwhile: refusing them would let a client whose images fail shut the others out.
        """
        try:
            self._device.probe()
        except Exception:
            logger.critical("the device failed its probe", exc_info=True)
            self._broken()
