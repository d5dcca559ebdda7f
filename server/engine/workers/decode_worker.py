"""A decode worker process: decodes and batches images, then submits the batches to its engine through shared memory."""

import asyncio
import logging
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

import torch
from torch import Tensor

from models.errors import ModelError
from models.loaded import load_without_weights
from models.runtime.precision import precisions
from server.engine.device import Device
from server.engine.heartbeat import Heartbeat
from server.engine.listener import EngineListener
from server.engine.startup.assembly import (
    BROKEN,
    build_pipeline,
    build_scheduler,
    freeze_objects,
    replace_process,
)
from server.engine.startup.loading import facts_of
from server.engine.workers.decode_workers import SLOTS
from server.engine.workers.shared_images import SharedImages
from server.errors import ServiceError
from server.ipc.client import EngineClient
from server.ipc.outcome import Failure
from server.ipc.parent_pipe import READY, report_to_parent
from server.ipc.process_config import DecodeWorkerConfig, ProcessConfig
from server.metrics import DecodeWorkerMetrics, Metrics

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_PARENT_GRACE_S = 5.0


async def run_decode_worker(config: ProcessConfig, worker: DecodeWorkerConfig) -> None:
    """Serve HTTP processes until the parent pipe closes. ModelError or SettingsError where the model does not load."""
    listener = EngineListener()
    await listener.listen(config.address)
    engine = EngineClient(worker.engine)
    connected = asyncio.create_task(engine.run())
    device_threads = ThreadPoolExecutor(SLOTS, thread_name_prefix="device")
    settings = config.settings
    torch.set_num_threads(1)
    model = await asyncio.to_thread(
        load_without_weights,
        config.folder,
        _RemoteGraph(engine, worker, asyncio.get_running_loop()),
        precision=precisions(settings.precision)[0].name,
        runtime=worker.runtime,
        strict=settings.strict_settings,
    )
    while not engine.ready:
        await asyncio.sleep(_POLL_S)
    await asyncio.to_thread(model.smoke_test)
    listener.set_model(facts_of(model))
    scheduler = build_scheduler(model, worker.timings, settings)
    scheduler.limits = replace(scheduler.limits, max_running=SLOTS)
    metrics = DecodeWorkerMetrics(Metrics(), config.deployment)
    device = Device(model)
    listener.pipeline = build_pipeline(device, None, device_threads, scheduler, metrics=metrics, settings=settings)
    freeze_objects()
    listener.announce({"ready": True, "reason": "ready"})
    report_to_parent(READY)
    # its batches are those of the engine, which watches its own device
    Heartbeat(device, math.inf, replace_process).start()
    logger.info("decode worker ready number=%d batch=%d", worker.number, scheduler.limits.max_images)
    await connected


class _RemoteGraph:
    """A graph that the engine computes, up to SLOTS batches at a time: uint8 [N, ...] -> float32 [N, C]."""

    def __init__(self, engine: EngineClient, worker: DecodeWorkerConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._number = worker.number
        self._shared = SharedImages(worker.images, worker.shape)
        self._loop = loop
        self._free_slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(SLOTS):
            self._free_slots.put(slot)

    def __call__(self, inputs: Tensor) -> list[Tensor]:
        count, slot = len(inputs), self._free_slots.get()
        try:
            self._shared.images[slot, :count] = inputs
            compute = self._engine.compute(self._number, slot, count)
            outcome = asyncio.run_coroutine_threadsafe(compute, self._loop).result()
        except ServiceError:
            # the engine has ended, and the parent pipe ends this process in a moment. An answer before that would be an
            # error of the images, so wait; exit if the pipe does not close
            time.sleep(_PARENT_GRACE_S)
            os._exit(BROKEN)
        finally:
            self._free_slots.put(slot)
        if isinstance(outcome, Failure) and outcome.code == "out_of_memory":
            raise torch.OutOfMemoryError(outcome.message)
        if isinstance(outcome, Failure):
            raise ModelError(outcome.message)
        return [torch.frombuffer(bytearray(outcome), dtype=torch.float32).view(count, -1)]
