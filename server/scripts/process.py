"""The host of a script: starts its processes, proves that init() works, and serves the HTTP processes."""

import asyncio
import json
import logging
import os
import sys
import time

import uvloop

from server.ipc.frame import Frame, FrameKind
from server.ipc.listener import SocketClient, SocketListener
from server.ipc.parent_pipe import FAILED, READY, ProcessConfig, read_config, tell_parent, watch_parent
from server.logs import configure_logs
from server.metrics import Metrics, ScriptMetrics
from server.scripts.location import ScriptLocation
from server.scripts.pool import WorkerPool
from server.scripts.request_queue import QueuedRequest
from server.scripts.worker import WorkerError
from server.supervisor.child import CANNOT_SERVE
from settings.errors import SettingsError

logger = logging.getLogger("server.scripts")


def main() -> None:
    """Host a script until the lifeline ends; exits with CANNOT_SERVE where the script cannot be hosted."""
    config = read_config()
    configure_logs(config.settings.log_format, config.settings.log_level)
    uvloop.run(_serve(config))


async def _serve(config: ProcessConfig) -> None:
    assert config.script is not None
    started = time.monotonic()
    entrance = SocketListener("the script is starting", lambda: _ScriptConnection(entrance, crew))
    try:
        place = ScriptLocation.of(config.script, config.settings)
    except SettingsError as error:
        _give_up(str(error))
    crew = WorkerPool(place, config.settings, ScriptMetrics(Metrics(), config.deployment), entrance.announce)
    watch_parent(end=crew.kill)
    await entrance.listen(config.address)
    try:
        found = await crew.muster()
    except WorkerError as error:
        crew.kill()
        _give_up(f"The script {place.script} cannot be hosted: {error}")
    tell_parent(READY)
    logger.info(
        "script ready takes=%r python=%s workers=%d seconds=%.1f",
        found["takes"],
        found["python"],
        config.settings.workers,
        time.monotonic() - started,
    )
    await asyncio.Event().wait()


def _give_up(reason: str) -> None:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    tell_parent(FAILED, json.dumps(reason))
    os._exit(CANNOT_SERVE)


class _ScriptConnection(SocketClient):
    """One HTTP process: maps its numbers for requests to jobs."""

    def __init__(self, entrance: SocketListener, crew: WorkerPool) -> None:
        super().__init__(entrance)
        self._crew = crew
        self._open: dict[int, QueuedRequest] = {}

    def handle(self, frame: Frame) -> None:
        """Do what a frame asks for."""
        if frame.kind is FrameKind.RUN:
            self._run(frame)
        elif frame.kind is FrameKind.CANCEL and frame.number in self._open:
            self._crew.cancel(self._open.pop(frame.number))

    def abandon(self) -> None:
        """Cancel everything the HTTP process was waiting for."""
        for job in self._open.values():
            self._crew.cancel(job)
        self._open.clear()

    def _run(self, frame: Frame) -> None:
        job = QueuedRequest(frame, time.monotonic(), float(frame.fields["deadline"]), self._reply)
        self._open[frame.number] = job
        room_in_s = self._crew.submit(job)
        if room_in_s is not None:
            del self._open[frame.number]
            self.connection.send(Frame(FrameKind.REFUSED, frame.number, {"retry_after": room_in_s}))

    def _reply(self, reply: Frame) -> None:
        if self._open.pop(reply.number, None) is not None:  # else cancelled while it ran
            self.connection.send(reply)
