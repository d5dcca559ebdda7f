"""Assembly: what an engine and its decode workers are both made of, once a model is there."""

import asyncio
import gc
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from models.images.decoding import ImageLimits
from models.loaded import LoadedModel
from server.cores import cpu_threads
from server.engine.explaining.explainer import Explainer
from server.engine.listener import EngineListener
from server.engine.pipeline.device import Device, batch_overhead_s, best_batch
from server.engine.pipeline.pipeline import Pipeline
from server.engine.scheduling.jobs import DECODED_BATCHES
from server.engine.scheduling.scheduler import Limits, Scheduler
from server.ipc.model_facts import ModelFacts
from server.metrics import DeploymentMetrics
from settings.server import ServerSettings

BROKEN = 70

# The shares of a saturated device
_LANES = {"score": 8.0, DECODED_BATCHES: 8.0, "explain": 1.0}

Timings = Sequence[tuple[int, float]]  # pictures in a batch, its seconds


def facts_of(model: LoadedModel) -> ModelFacts:
    """Return what HTTP processes are told of a model."""
    found = model.definition
    sizes = tuple(found.sizes().items())
    return ModelFacts(found.architecture.name, found.task.name, found.labels, sizes, found.signature)


def scheduler_of(model: LoadedModel, timings: Timings, settings: ServerSettings) -> Scheduler:
    """Make the scheduler of a model whose batches take `timings`."""
    scheduler = Scheduler(limits_of(model, timings, settings), _LANES)
    for cost, seconds in costs(model, timings):
        scheduler.learn("score", cost, seconds)
    return scheduler


def costs(model: LoadedModel, timings: Timings) -> list[tuple[float, float]]:
    """Turn (pictures, seconds) into (cost, seconds)."""
    return [(count * model.pixels, seconds) for count, seconds in timings]


def limits_of(model: LoadedModel, timings: Timings, settings: ServerSettings) -> Limits:
    """Return the bounds on batches of a model that takes `timings`."""
    max_images = settings.max_batch_images or best_batch(timings, batch_overhead_s(model.device))
    return Limits(
        max_images=max_images,
        max_cost=settings.max_batch_pixels or max_images * model.pixels,
        max_delay_s=settings.max_delay_ms / 1000,
        queue_limit_s=settings.queue_limit_ms / 1000,
        decoders=cpu_threads(settings),
        shared_cores=model.device.type == "cpu",
    )


def pipeline_of(
    device: Device,
    explainer: Explainer | None,
    thread: ThreadPoolExecutor,
    scheduler: Scheduler,
    *,
    listener: EngineListener,
    metrics: DeploymentMetrics,
    settings: ServerSettings,
) -> Pipeline:
    """Put a pipeline together, from the running event loop. It tells `listener` how it is, which has no part in it."""
    loop = asyncio.get_running_loop()
    alarm = _Alarm(loop)

    def health(well: bool) -> None:
        reason = "ready" if well else "a batch failed and the device is being probed"
        listener.announce({"ready": well, "reason": reason})

    pipeline = Pipeline(
        device,
        explainer,
        thread,
        scheduler,
        ImageLimits(settings.max_image_bytes, settings.max_image_pixels, settings.scaled_decode),
        metrics=metrics,
        cpu_threads=cpu_threads(settings),
        health=health,
        # a broken CUDA context stays broken: only a new process helps, and the supervisor starts one
        broken=lambda: os._exit(BROKEN),
        wake=alarm.wake_at,
    )
    alarm.ring = pipeline.tick
    return pipeline


def keep_what_lives() -> None:
    """Keep the garbage collector from walking again and again through what lives by now, as it lives for ever."""
    gc.collect()
    gc.freeze()


class _Alarm:
    """Calls `ring` on the event loop at the earliest time asked for; asking is cheap and possible from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ring: Callable[[], None] = lambda: None
        self._loop = loop
        self._set_for = float("inf")

    def wake_at(self, at: float) -> None:
        if at < self._set_for:
            self._set_for = at
            self._loop.call_soon_threadsafe(self._loop.call_at, at, self._rang)

    def _rang(self) -> None:
        self._set_for = float("inf")
        self.ring()
