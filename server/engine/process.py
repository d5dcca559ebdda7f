"""An engine process: loads the model, proves that it works, serves the HTTP processes until the lifeline ends."""

import asyncio
import gc
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import uvloop

from models.agreement import check_precision, precision_of
from models.classifier import Classifier
from models.errors import ModelError
from models.images import ImageLimits
from models.loaded import LoadedModel, load
from models.runtime import EAGER, Terms
from server.engine.cores import usable_cores
from server.engine.device import Device, best_batch, handover_s
from server.engine.explainer import Explainer
from server.engine.facts import ModelFacts
from server.engine.listener import Listener
from server.engine.pipeline import Pipeline
from server.engine.scheduler import Limits, Scheduler
from server.engine.tuner import Tuner, open_cache
from server.engine.turns import Turns
from server.logs import configure_logs
from server.metrics import DeploymentMetrics, Metrics
from server.supervision.child import CANNOT_SERVE
from server.supervision.lifeline import FAILED, READY, Launch, follow, receive_launch, say
from settings.errors import SettingsError
from settings.server import ServerSettings

logger = logging.getLogger("server.engine")

BROKEN = 70

# The shares of a saturated device
_LANES = {"score": 8.0, "explain": 1.0}

Timings = Sequence[tuple[int, float]]  # pictures in a batch, its seconds


def main() -> None:
    """Run one engine; exits with CANNOT_SERVE where the model cannot be served, BROKEN where the device failed."""
    launch = receive_launch()
    configure_logs(launch.settings.log_format, launch.settings.log_level)
    # about metadata and palettes of pictures, once for each place in Pillow; the pixels decode or raise
    warnings.filterwarnings("ignore", module="PIL")
    follow()
    uvloop.run(_run(launch))


async def _run(launch: Launch) -> None:
    # exits right here, because an orderly end of the event loop would wait for threads and fill the log
    try:
        await _serve(launch)
    except (ModelError, SettingsError) as error:
        logger.debug("the model cannot be served", exc_info=True)
        print(f"error: {error}", file=sys.stderr, flush=True)
        say(FAILED, json.dumps(str(error)))
        os._exit(CANNOT_SERVE)
    except Exception:
        logger.critical("the engine ended unexpectedly", exc_info=True)
        os._exit(BROKEN)


async def _serve(launch: Launch) -> None:
    started = time.monotonic()
    listener = Listener()
    await listener.listen(launch.address)
    # one thread for all that PyTorch computes: libgomp makes every barrier slow, and with it a forward pass on a CPU
    # twice to three times, once a second thread has brought a team of its own
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, thread_name_prefix="device")
    model = await loop.run_in_executor(thread, _load, launch)
    listener.know(facts_of(model))
    listener.announce({"ready": False, "reason": "the model is warming up"})
    turn = turns(launch, model)
    tuner: Tuner | None = None
    chosen: LoadedModel | None = model
    if launch.settings.runtime != EAGER:
        tuner = await asyncio.to_thread(_tuner, launch, model, thread, turn)
        chosen = await asyncio.to_thread(tuner.start, launch.settings.runtime)
    device = Device(chosen or model, turn)
    between, most = handover_s(model.device), launch.settings.max_batch_images
    timings = await loop.run_in_executor(thread, device.warm_up, most, between)
    scheduler = Scheduler(limits_of(model, timings, launch.settings), _LANES)
    for cost, seconds in costs(model, timings):
        scheduler.learn("score", cost, seconds)
    explainer = Explainer(model) if isinstance(model, Classifier) else None
    if explainer is not None:
        for cost, seconds in await loop.run_in_executor(thread, explainer.warm_up, scheduler.limits.max_images):
            scheduler.learn("explain", cost, seconds)
    listener.pipeline = _pipeline(device, explainer, thread, scheduler, listener=listener, launch=launch)
    # what lives now lives for ever: keep the collector from walking through all of it again and again
    gc.collect()
    gc.freeze()
    listener.announce({"ready": True, "reason": "ready"})
    say(READY)
    logger.info(
        "engine ready device=%s runtime=%s batch=%d seconds=%.1f",
        model.device,
        (chosen or model).runtime,
        scheduler.limits.max_images,
        time.monotonic() - started,
    )
    if tuner is not None and chosen is None:
        tried = (tuner, sizes_to_try(timings, between), listener.pipeline, launch.settings)
        threading.Thread(target=_tune, args=tried, daemon=True).start()
    await asyncio.Event().wait()


def turns(launch: Launch, model: LoadedModel) -> AbstractContextManager[object]:
    """Return what keeps engines that use all cores from computing at once; others were given cores of their own."""
    shared = model.device.type == "cpu" and cpu_threads(launch.settings) >= usable_cores()
    return Turns(launch.turns) if shared else nullcontext()


def facts_of(model: LoadedModel) -> ModelFacts:
    """Return what HTTP processes are told of a model."""
    found = model.definition
    sizes = tuple(found.sizes().items())
    return ModelFacts(found.architecture.name, found.task.name, found.labels, sizes, found.signature)


def _tuner(
    launch: Launch, model: LoadedModel, thread: ThreadPoolExecutor, turn: AbstractContextManager[object]
) -> Tuner:
    settings = launch.settings

    def in_turn(step: Callable[[], Any]) -> Any:
        with turn:
            return step()

    terms = Terms(model.device, model.precision, cpu_threads(settings))
    cache = open_cache(settings.cache_folder, model.definition, terms, otherwise=launch.address.parent / "runtimes")
    return Tuner(
        launch.folder,
        model,
        terms,
        cache,
        precision=settings.precision,
        on_device=lambda step: thread.submit(in_turn, step).result(),
    )


def _tune(tuner: Tuner, sizes: Sequence[int], pipeline: Pipeline, settings: ServerSettings) -> None:
    def adopt(model: LoadedModel, seen: Timings) -> None:
        pipeline.renew(model, limits_of(model, seen, settings), costs(model, seen))

    try:
        tuner.tune(sizes, adopt)
    except Exception:
        logger.exception("no runtime could be chosen, and the model goes on as it is")


def sizes_to_try(timings: Timings, between: float) -> list[int]:
    """Return the sizes of batches that matter: up to twice the best."""
    most = 2 * best_batch(timings, between)
    return [count for count, _ in timings if count <= most]


def costs(model: LoadedModel, timings: Timings) -> list[tuple[float, float]]:
    """Turn (pictures, seconds) into (cost, seconds)."""
    return [(count * model.pixels, seconds) for count, seconds in timings]


def limits_of(model: LoadedModel, timings: Timings, settings: ServerSettings) -> Limits:
    """Return the bounds on batches of a model that takes `timings`."""
    max_images = settings.max_batch_images or best_batch(timings, handover_s(model.device))
    return Limits(
        max_images=max_images,
        max_cost=settings.max_batch_pixels or max_images * model.pixels,
        max_delay_s=settings.max_delay_ms / 1000,
        queue_limit_s=settings.queue_limit_ms / 1000,
        decoders=cpu_threads(settings),
        shared_cores=model.device.type == "cpu",
    )


def cpu_threads(settings: ServerSettings) -> int:
    """Return the CPU threads that the settings ask for, or for which the container has cores.

    Engines of GPUs share those; on a CPU they take turns with all of them.
    """
    on_gpus = all(device.startswith("cuda") for device in settings.device)
    return settings.cpu_threads or max(1, usable_cores() // (len(settings.device) if on_gpus else 1))


def _load(launch: Launch) -> LoadedModel:
    settings = launch.settings
    torch.set_num_threads(cpu_threads(settings))
    model = load(launch.folder, device=launch.device, precision=settings.precision, strict=settings.strict_settings)
    if model.device.type != "cpu":
        # only pictures are put together here: threads that look for more to do would keep cores from the decoders
        torch.set_num_threads(1)
    for warning in model.definition.settings.warnings:
        logger.warning("%s", warning)
    if (found := precision_of(model)) is not None:
        check_precision(found, settings.force_precision)
        logger.info("precision=%s: %s", settings.precision, found)
    return model


def _pipeline(
    device: Device,
    explainer: Explainer | None,
    thread: ThreadPoolExecutor,
    scheduler: Scheduler,
    *,
    listener: Listener,
    launch: Launch,
) -> Pipeline:
    settings = launch.settings
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
        metrics=DeploymentMetrics(Metrics(), launch.deployment),
        cpu_threads=cpu_threads(settings),
        health=health,
        # a broken CUDA context stays broken: only a new process helps, and the supervisor starts one
        broken=lambda: os._exit(BROKEN),
        wake=alarm.wake_at,
    )
    alarm.ring = pipeline.tick
    return pipeline


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
