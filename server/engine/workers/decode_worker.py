"""A decode worker process: all that an engine is but for the network, whose batches it has its engine compute."""

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

import torch
from torch import Tensor

from models.errors import ModelError
from models.loaded import load_without_weights
from server.engine.listener import EngineListener
from server.engine.pipeline.device import Device
from server.engine.startup.assembly import BROKEN, facts_of, keep_what_lives, pipeline_of, scheduler_of
from server.engine.workers.decode_workers import AT_ONCE
from server.engine.workers.shared_images import SharedImages
from server.errors import ServiceError
from server.ipc.client import EngineClient
from server.ipc.outcome import Failure
from server.ipc.parent_pipe import READY, DecodeWorkerConfig, ProcessConfig, tell_parent
from server.metrics import DecodeWorkerMetrics, Metrics

logger = logging.getLogger(__name__)

_POLL_S = 0.02
_LAST_S = 5.0


async def feed(config: ProcessConfig, feeding: DecodeWorkerConfig) -> None:
    """Serve HTTP processes until the lifeline ends; ModelError or SettingsError where the model cannot be served."""
    listener = EngineListener()
    await listener.listen(config.address)
    engine = EngineClient(feeding.engine)
    connected = asyncio.create_task(engine.run())
    device_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="device")
    settings = config.settings
    torch.set_num_threads(1)
    model = await asyncio.to_thread(
        load_without_weights,
        config.folder,
        _RemoteGraph(engine, feeding, asyncio.get_running_loop()),
        precision=settings.precision,
        runtime=feeding.runtime,
        strict=settings.strict_settings,
    )
    while not engine.ready:
        await asyncio.sleep(_POLL_S)
    await asyncio.to_thread(model.smoke_test)
    listener.know(facts_of(model))
    scheduler = scheduler_of(model, feeding.timings, settings)
    scheduler.limits = replace(scheduler.limits, at_once=AT_ONCE)
    metrics = DecodeWorkerMetrics(Metrics(), config.deployment)
    listener.pipeline = pipeline_of(
        Device(model), None, device_threads, scheduler, listener=listener, metrics=metrics, settings=settings
    )
    keep_what_lives()
    listener.announce({"ready": True, "reason": "ready"})
    tell_parent(READY)
    logger.info("decode_worker ready number=%d batch=%d", feeding.number, scheduler.limits.max_images)
    await connected


class _RemoteGraph:
    """A graph that the engine computes, AT_ONCE batches at a time: uint8 [N, ...] -> float32 [N, C]."""

    def __init__(self, engine: EngineClient, feeding: DecodeWorkerConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._number = feeding.number
        self._shared = SharedImages(feeding.pictures, feeding.shape)
        self._loop = loop
        self._places: SimpleQueue[int] = SimpleQueue()  # that are free
        for place in range(AT_ONCE):
            self._places.put(place)

    def __call__(self, inputs: Tensor) -> list[Tensor]:
        count, place = len(inputs), self._places.get()
        try:
            self._shared.pictures[place, :count] = inputs
            compute = self._engine.compute(self._number, place, count)
            outcome = asyncio.run_coroutine_threadsafe(compute, self._loop).result()
        except ServiceError:
            # the engine has ended, and with it its lifeline to this process, which may be heard of a moment later:
            # what is said until then would be that the pictures are to blame
            time.sleep(_LAST_S)
            os._exit(BROKEN)
        finally:
            self._places.put(place)
        if isinstance(outcome, Failure) and outcome.code == "out_of_memory":
            raise torch.OutOfMemoryError(outcome.message)
        if isinstance(outcome, Failure):
            raise ModelError(outcome.message)
        return [torch.frombuffer(bytearray(outcome), dtype=torch.float32).view(count, -1)]
