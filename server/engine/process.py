"""An engine process: loads a model, warms it up, and serves HTTP processes until the parent pipe closes."""

import asyncio
import logging
import os
import time
import warnings
from collections.abc import Sequence
from functools import partial

import uvloop

from models.classifier import Classifier
from models.detector import Detector
from models.errors import ModelError
from models.loaded import LoadedModel
from server.engine.device import Device
from server.engine.explaining.explained_classifier import ExplainedClassifier
from server.engine.explaining.explained_detector import ExplainedDetector
from server.engine.explaining.explained_model import ExplainedModel
from server.engine.explaining.explainer import Explainer
from server.engine.heartbeat import Heartbeat
from server.engine.listener import EngineListener
from server.engine.pipeline.pipeline import Pipeline
from server.engine.startup.assembly import (
    BROKEN,
    build_pipeline,
    build_scheduler,
    freeze_objects,
    replace_process,
)
from server.engine.startup.device_thread import DeviceThread
from server.engine.startup.loading import device_lock, facts_of, load_model
from server.engine.startup.runtime_choice import choose_at_start, tune
from server.engine.startup.warm_up import Timings, batch_overhead_s, sizes_to_try, warm_up
from server.engine.workers.decode_worker import run_decode_worker
from server.engine.workers.decode_workers import DecodeWorkers, decode_worker_count
from server.ipc.parent_pipe import READY, hang_limit_s, read_config, report_failure, report_to_parent, watch_parent
from server.ipc.process_config import ProcessConfig
from server.logs import configure_logs
from server.metrics import DeploymentMetrics, Metrics, remove_gauges
from server.supervisor.child import CANNOT_SERVE, Child
from settings.errors import SettingsError

logger = logging.getLogger("server.engine")


def main() -> None:
    """Run one engine or one decode worker.

    Exits with CANNOT_SERVE where the model cannot be served, with BROKEN where the device failed.
    """
    config = read_config()
    configure_logs(config.settings.log_format, config.settings.log_level, deployment=config.deployment)
    # Pillow warns about metadata and palettes, once for each line of its code. Pixels either decode or raise
    warnings.filterwarnings("ignore", module="PIL")
    # once an engine has ended, no other process knows its decode workers: each removes its own gauges
    watch_parent(end=partial(remove_gauges, os.getpid()))
    uvloop.run(_run(config))


async def _run(config: ProcessConfig) -> None:
    # exit here: an orderly end of the event loop would wait for threads and fill the log
    try:
        await (serve(config) if config.decode_worker is None else run_decode_worker(config, config.decode_worker))
    except (ModelError, SettingsError) as error:
        logger.debug("the model cannot be served", exc_info=True)
        report_failure(error)
        os._exit(CANNOT_SERVE)
    except Exception:
        logger.critical("the engine ended unexpectedly", exc_info=True)
        os._exit(BROKEN)


async def serve(config: ProcessConfig) -> None:
    """Load and warm up the model, then serve for ever. ModelError or SettingsError where it cannot be served."""
    started, settings = time.monotonic(), config.settings
    listener, thread = EngineListener(), DeviceThread()
    await listener.listen(config.address)

    model = await thread.run(load_model, config)
    for warning in model.definition.settings.warnings:
        logger.warning("%s", warning)
    thread.lock = device_lock(config, model)
    listener.set_model(facts_of(model))
    listener.announce({"ready": False, "reason": "the model is warming up"})

    chosen, tuner = await asyncio.to_thread(choose_at_start, config, model, thread.call)
    device, overhead_s = Device(chosen, thread.lock), batch_overhead_s(model.device)
    timings = await thread.run(warm_up, device, settings.max_batch_images, overhead_s)

    scheduler, metrics = build_scheduler(model, timings, settings), Metrics()
    max_images = scheduler.limits.max_images
    listener.decode_workers = _start_decode_workers(config, chosen, timings, max_images, metrics)
    explainer = Explainer(_explained_model(model, device))
    scheduler.close("explain")  # until it is warm
    counted = DeploymentMetrics(metrics, config.deployment, config.engine)
    pipeline = listener.pipeline = build_pipeline(
        device, explainer, thread.pool, scheduler, metrics=counted, settings=settings
    )
    freeze_objects()

    def announce(model: LoadedModel) -> None:
        listener.set_model(facts_of(model))
        listener.announce({"ready": True, "reason": "ready"})

    announce(chosen)
    logger.info(
        "engine ready device=%s runtime=%s precision=%s batch=%d seconds=%.1f",
        model.device,
        chosen.runtime,
        chosen.precision.name,
        max_images,
        time.monotonic() - started,
    )
    report_to_parent(READY)
    Heartbeat(device, hang_limit_s(settings), replace_process).start()
    await asyncio.to_thread(_warm_up_explanations, explainer, max_images, thread, pipeline)
    if tuner is not None:
        await asyncio.to_thread(tune, tuner, sizes_to_try(timings, overhead_s), pipeline, settings, announce)
    await asyncio.Event().wait()


def _start_decode_workers(
    config: ProcessConfig, model: LoadedModel, timings: Timings, max_images: int, metrics: Metrics
) -> DecodeWorkers | None:
    count = decode_worker_count(model, config.settings)
    if not count or not isinstance(model, Classifier):
        return None

    def ended(worker: Child, pid: int) -> None:
        metrics.forget_process(pid)
        metrics.engine_restarts.inc()

    workers = DecodeWorkers(config, model, timings, count=count, max_images=max_images)
    workers.start(ended)
    return workers


def _explained_model(model: LoadedModel, device: Device) -> ExplainedModel:
    if isinstance(model, Classifier):
        return ExplainedClassifier(model, device.outputs)

    def scoring() -> Detector:
        assert isinstance(device.model, Detector)
        return device.model

    return ExplainedDetector(scoring)


def _warm_up_explanations(explainer: Explainer, max_images: int, thread: DeviceThread, pipeline: Pipeline) -> None:
    costs: Sequence[tuple[float, float]] = ()
    try:
        costs = explainer.warm_up(max_images, thread.call)
    except Exception:
        logger.exception("the warm-up of explanations failed, they may fail too")
    pipeline.open_lane("explain", costs)
