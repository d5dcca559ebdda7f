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
from models.runtime.agreement import check_precision, precision_agreement
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
    """Run one engine or one of its decode_workers.

    Exits with CANNOT_SERVE where the model cannot be served, BROKEN where the device failed.
    """
    config = read_config()
    configure_logs(config.settings.log_format, config.settings.log_level)
    # about metadata and palettes of pictures, once for each place in Pillow; the pixels decode or raise
    warnings.filterwarnings("ignore", module="PIL")
    # nobody else knows the decode workers of an engine that has ended
    watch_parent(end=partial(Metrics.forget_process, os.getpid()))
    uvloop.run(_run(config))


async def _run(config: ProcessConfig) -> None:
    # exits right here, because an orderly end of the event loop would wait for threads and fill the log
    try:
        await (_serve(config) if config.decode_worker is None else feed(config, config.decode_worker))
    except (ModelError, SettingsError) as error:
        logger.debug("the model cannot be served", exc_info=True)
        print(f"error: {error}", file=sys.stderr, flush=True)
        tell_parent(FAILED, json.dumps(str(error)))
        os._exit(CANNOT_SERVE)
    except Exception:
        logger.critical("the engine ended unexpectedly", exc_info=True)
        os._exit(BROKEN)


async def _serve(config: ProcessConfig) -> None:
    started = time.monotonic()
    listener = EngineListener()
    await listener.listen(config.address)
    # one thread for all that PyTorch computes: libgomp makes every barrier slow, and with it a forward pass on a CPU
    # twice to three times, once a second thread has brought a team of its own
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, thread_name_prefix="device")
    model = await loop.run_in_executor(thread, _load, config)
    listener.know(facts_of(model))
    listener.announce({"ready": False, "reason": "the model is warming up"})
    turn = turns(config, model)

    def in_turn(step: Callable[[], Any]) -> Any:
        with turn:
            return step()

    def on_device(step: Callable[[], Any]) -> Any:
        return thread.submit(in_turn, step).result()

    tuner: Tuner | None = None
    chosen: LoadedModel | None = model
    if config.settings.runtime != EAGER:
        tuner = await asyncio.to_thread(_tuner, config, model, on_device)
        chosen = await asyncio.to_thread(tuner.start, config.settings.runtime)
    device = Device(chosen or model, turn)
    between, most = batch_overhead_s(model.device), config.settings.max_batch_images
    timings = await loop.run_in_executor(thread, device.warm_up, most, between)
    scheduler = scheduler_of(model, timings, config.settings)
    metrics = Metrics()
    listener.decode_workers = _decode_workers(config, chosen or model, timings, scheduler.limits.max_images, metrics)
    explainer = Explainer(model) if isinstance(model, Classifier) else None
    scheduler.close("explain")  # until it is warm
    counted = DeploymentMetrics(metrics, config.deployment)
    listener.pipeline = pipeline_of(
        device, explainer, thread, scheduler, listener=listener, metrics=counted, settings=config.settings
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
        await asyncio.to_thread(_tune, tuner, sizes_to_try(timings, between), listener.pipeline, config.settings)
    await asyncio.Event().wait()


def _decode_workers(
    config: ProcessConfig, model: LoadedModel, timings: Timings, most: int, metrics: Metrics
) -> DecodeWorkers | None:
    count = decode_workers_wanted(model, config.settings)
    if not count or not isinstance(model, Classifier):
        return None

    def ended(decode_worker: Child, pid: int) -> None:
        metrics.forget_process(pid)
        metrics.engine_restarts.inc()

    decode_workers = DecodeWorkers(config, model, timings, count=count, most=most)
    decode_workers.start(ended)
    return decode_workers


def turns(config: ProcessConfig, model: LoadedModel) -> AbstractContextManager[object]:
    """Return what keeps engines that use all cores from computing at once; others were given cores of their own."""
    shared = model.device.type == "cpu" and cpu_threads(config.settings) >= usable_cores()
    return DeviceLock(config.lock_folder) if shared else nullcontext()


def _warm_up_explanations(explainer: Explainer, most: int, on_device: OnDevice[Any], pipeline: Pipeline) -> None:
    seen: Sequence[tuple[float, float]] = ()
    try:
        seen = explainer.warm_up(most, on_device)
    except Exception:
        logger.exception("explanations cannot be warmed up, and may fail")
    pipeline.open("explain", seen)


def _tuner(config: ProcessConfig, model: LoadedModel, on_device: OnDevice[Any]) -> Tuner:
    settings = config.settings
    options = ComputeOptions(model.device, model.precision, cpu_threads(settings))
    cache = open_cache(settings.cache_folder, model.definition, options, otherwise=config.address.parent / "runtimes")
    return Tuner(config.folder, model, options, cache, precision=settings.precision, on_device=on_device)


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


def _load(config: ProcessConfig) -> LoadedModel:
    settings = config.settings
    torch.set_num_threads(cpu_threads(settings))
    model = load(config.folder, device=config.device, precision=settings.precision, strict=settings.strict_settings)
    if model.device.type != "cpu":
        # only pictures are put together here: threads that look for more to do would keep cores from the decoders
        torch.set_num_threads(1)
    for warning in model.definition.settings.warnings:
        logger.warning("%s", warning)
    if (found := precision_agreement(model)) is not None:
        check_precision(found, settings.force_precision)
        logger.info("precision=%s: %s", settings.precision, found)
    return model
