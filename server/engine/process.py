"""An engine process: loads the model, proves that it works, serves the HTTP processes until the lifeline ends."""

import asyncio
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import uvloop

from models.classifier import Classifier
from models.errors import ModelError
from models.loaded import LoadedModel, load
from models.runtime.agreement import check_precision, precision_of
from models.runtime.runtime import EAGER, ComputeOptions
from server.cores import cpu_threads, usable_cores
from server.engine.explaining.explainer import Explainer
from server.engine.listener import EngineListener
from server.engine.pipeline.device import Device, OnDevice, batch_overhead_s, best_batch
from server.engine.pipeline.device_lock import DeviceLock
from server.engine.pipeline.pipeline import Pipeline
from server.engine.startup.assembly import (
    BROKEN,
    Timings,
    costs,
    facts_of,
    keep_what_lives,
    limits_of,
    pipeline_of,
    scheduler_of,
)
from server.engine.startup.tuner import Tuner, open_cache
from server.engine.workers.decode_worker import feed
from server.engine.workers.decode_workers import DecodeWorkers, decode_workers_wanted
from server.ipc.parent_pipe import FAILED, READY, ProcessConfig, read_config, tell_parent, watch_parent
from server.logs import configure_logs
from server.metrics import DeploymentMetrics, Metrics
from server.supervisor.child import CANNOT_SERVE, Child
from settings.errors import SettingsError
from settings.server import ServerSettings

logger = logging.getLogger("server.engine")


def main() -> None:
    """Run one engine or one of its feeders.

    Exits with CANNOT_SERVE where the model cannot be served, BROKEN where the device failed.
    """
    launch = read_config()
    configure_logs(launch.settings.log_format, launch.settings.log_level)
    # about metadata and palettes of pictures, once for each place in Pillow; the pixels decode or raise
    warnings.filterwarnings("ignore", module="PIL")
    # nobody else knows the feeders of an engine that has ended
    watch_parent(end=partial(Metrics.forget_process, os.getpid()))
    uvloop.run(_run(launch))


async def _run(launch: ProcessConfig) -> None:
    # exits right here, because an orderly end of the event loop would wait for threads and fill the log
    try:
        await (_serve(launch) if launch.feeding is None else feed(launch, launch.feeding))
    except (ModelError, SettingsError) as error:
        logger.debug("the model cannot be served", exc_info=True)
        print(f"error: {error}", file=sys.stderr, flush=True)
        tell_parent(FAILED, json.dumps(str(error)))
        os._exit(CANNOT_SERVE)
    except Exception:
        logger.critical("the engine ended unexpectedly", exc_info=True)
        os._exit(BROKEN)


async def _serve(launch: ProcessConfig) -> None:
    started = time.monotonic()
    listener = EngineListener()
    await listener.listen(launch.address)
    # one thread for all that PyTorch computes: libgomp makes every barrier slow, and with it a forward pass on a CPU
    # twice to three times, once a second thread has brought a team of its own
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, thread_name_prefix="device")
    model = await loop.run_in_executor(thread, _load, launch)
    listener.know(facts_of(model))
    listener.announce({"ready": False, "reason": "the model is warming up"})
    turn = turns(launch, model)

    def in_turn(step: Callable[[], Any]) -> Any:
        with turn:
            return step()

    def on_device(step: Callable[[], Any]) -> Any:
        return thread.submit(in_turn, step).result()

    tuner: Tuner | None = None
    chosen: LoadedModel | None = model
    if launch.settings.runtime != EAGER:
        tuner = await asyncio.to_thread(_tuner, launch, model, on_device)
        chosen = await asyncio.to_thread(tuner.start, launch.settings.runtime)
    device = Device(chosen or model, turn)
    between, most = batch_overhead_s(model.device), launch.settings.max_batch_images
    timings = await loop.run_in_executor(thread, device.warm_up, most, between)
    scheduler = scheduler_of(model, timings, launch.settings)
    metrics = Metrics()
    listener.feeders = _feeders(launch, chosen or model, timings, scheduler.limits.max_images, metrics)
    explainer = Explainer(model) if isinstance(model, Classifier) else None
    scheduler.close("explain")  # until it is warm
    counted = DeploymentMetrics(metrics, launch.deployment)
    listener.pipeline = pipeline_of(
        device, explainer, thread, scheduler, listener=listener, metrics=counted, settings=launch.settings
    )
    keep_what_lives()
    listener.announce({"ready": True, "reason": "ready"})
    tell_parent(READY)
    logger.info(
        "engine ready device=%s runtime=%s batch=%d seconds=%.1f",
        model.device,
        (chosen or model).runtime,
        scheduler.limits.max_images,
        time.monotonic() - started,
    )
    if explainer is not None:
        most = scheduler.limits.max_images
        await asyncio.to_thread(_warm_up_explanations, explainer, most, on_device, listener.pipeline)
    if tuner is not None and chosen is None:
        await asyncio.to_thread(_tune, tuner, sizes_to_try(timings, between), listener.pipeline, launch.settings)
    await asyncio.Event().wait()


def _feeders(
    launch: ProcessConfig, model: LoadedModel, timings: Timings, most: int, metrics: Metrics
) -> DecodeWorkers | None:
    count = decode_workers_wanted(model, launch.settings)
    if not count or not isinstance(model, Classifier):
        return None

    def ended(feeder: Child, pid: int) -> None:
        metrics.forget_process(pid)
        metrics.engine_restarts.inc()

    feeders = DecodeWorkers(launch, model, timings, count=count, most=most)
    feeders.start(ended)
    return feeders


def turns(launch: ProcessConfig, model: LoadedModel) -> AbstractContextManager[object]:
    """Return what keeps engines that use all cores from computing at once; others were given cores of their own."""
    shared = model.device.type == "cpu" and cpu_threads(launch.settings) >= usable_cores()
    return DeviceLock(launch.turns) if shared else nullcontext()


def _warm_up_explanations(explainer: Explainer, most: int, on_device: OnDevice[Any], pipeline: Pipeline) -> None:
    seen: Sequence[tuple[float, float]] = ()
    try:
        seen = explainer.warm_up(most, on_device)
    except Exception:
        logger.exception("explanations cannot be warmed up, and may fail")
    pipeline.open("explain", seen)


def _tuner(launch: ProcessConfig, model: LoadedModel, on_device: OnDevice[Any]) -> Tuner:
    settings = launch.settings
    options = ComputeOptions(model.device, model.precision, cpu_threads(settings))
    cache = open_cache(settings.cache_folder, model.definition, options, otherwise=launch.address.parent / "runtimes")
    return Tuner(launch.folder, model, options, cache, precision=settings.precision, on_device=on_device)


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


def _load(launch: ProcessConfig) -> LoadedModel:
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
