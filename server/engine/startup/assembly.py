"""Assembly: builds the scheduler and the pipeline of an engine or a decode worker, once its model is loaded."""

import asyncio
import gc
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from models.images.decoding import ImageLimits
from models.loaded import LoadedModel
from server.cores import cpu_threads
from server.engine.device import Device
from server.engine.explaining.explainer import Explainer
from server.engine.pipeline.pipeline import Pipeline
from server.engine.scheduling.job import DECODED_BATCHES
from server.engine.scheduling.scheduler import Limits, Scheduler
from server.engine.startup.warm_up import Timings, batch_overhead_s, best_batch
from server.engine.workers.isolated_decoder import IsolatedDecoder, max_cpu_s
from server.metrics import DeploymentMetrics
from settings.server import ServerSettings

BROKEN = 70  # the exit code of a process whose device or code failed

# weights by which lanes share a saturated device
_LANES = {"score": 8.0, DECODED_BATCHES: 8.0, "explain": 1.0}


def build_scheduler(model: LoadedModel, timings: Timings, settings: ServerSettings) -> Scheduler:
    """Build the scheduler for a model whose batches take `timings`."""
    scheduler = Scheduler(batch_limits(model, timings, settings), _LANES)
    for cost, seconds in costs(model, timings):
        scheduler.learn("score", cost, seconds)
    return scheduler


def costs(model: LoadedModel, timings: Timings) -> list[tuple[float, float]]:
    """Convert (images, seconds) of batches to (cost, seconds)."""
    return [(count * model.pixels, seconds) for count, seconds in timings]


def batch_limits(model: LoadedModel, timings: Timings, settings: ServerSettings) -> Limits:
    """Return the bounds on batches of a model whose batches take `timings`."""
    max_images = settings.max_batch_images or best_batch(timings, batch_overhead_s(model.device))
    return Limits(
        max_images=max_images,
        max_cost=settings.max_batch_pixels or max_images * model.pixels,
        max_delay_s=settings.max_delay_ms / 1000,
        queue_limit_s=settings.queue_limit_ms / 1000,
        decoders=cpu_threads(settings),
        shared_cores=model.device.type == "cpu",
    )


def build_pipeline(
    device: Device,
    explainer: Explainer | None,
    device_thread: ThreadPoolExecutor,
    scheduler: Scheduler,
    *,
    metrics: DeploymentMetrics,
    settings: ServerSettings,
) -> Pipeline:
    """Build a pipeline on the running event loop."""
    timer = _WakeTimer(asyncio.get_running_loop())

    image_limits = ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.scaled_decode)
    pipeline = Pipeline(
        device,
        explainer,
        device_thread,
        scheduler,
        image_limits,
        isolated=IsolatedDecoder(image_limits, max_cpu_s(settings)),
        metrics=metrics,
        cpu_threads=cpu_threads(settings),
        broken=replace_process,
        wake=timer.wake_at,
    )
    timer.on_time = pipeline.tick
    return pipeline


def replace_process() -> None:
    """End this process at once, and have its parent start a new one: a broken CUDA context stays broken until then."""
    os._exit(BROKEN)


def freeze_objects() -> None:
    """Exclude all objects that exist now from garbage collection: they live as long as the process."""
    gc.collect()
    gc.freeze()


class _WakeTimer:
    """Calls `on_time` on the event loop at the earliest time passed to `wake_at`, which any thread may call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.on_time: Callable[[], None] = lambda: None
        self._loop = loop
        self._set_for = float("inf")

    def wake_at(self, at: float) -> None:
        if at < self._set_for:
            self._set_for = at
            self._loop.call_soon_threadsafe(self._loop.call_at, at, self._wake)

    def _wake(self) -> None:
        self._set_for = float("inf")
        self.on_time()
