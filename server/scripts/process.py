"""The process of a script: starts its workers, which run init(), and serves HTTP processes."""

import asyncio
import logging
import os
import time

import uvloop

from server.ipc.frame import Frame, FrameKind
from server.ipc.listener import SocketClient, SocketListener
from server.ipc.parent_pipe import READY, read_config, report_failure, report_to_parent, watch_parent
from server.ipc.process_config import ProcessConfig
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
    """Run a script until the parent pipe closes. Exits with CANNOT_SERVE where the script cannot be served."""
    config = read_config()
    configure_logs(config.settings.log_format, config.settings.log_level, deployment=config.deployment)
    uvloop.run(_serve(config))


async def _serve(config: ProcessConfig) -> None:
    assert config.script is not None
    started = time.monotonic()
    listener = SocketListener("the script is starting", lambda: _ScriptConnection(listener, pool))
    try:
        location = ScriptLocation.of(config.script, config.settings)
    except SettingsError as error:
        _give_up(str(error))
    pool = WorkerPool(location, config.settings, ScriptMetrics(Metrics(), config.deployment), listener.announce)
    watch_parent(end=pool.kill)
    await listener.listen(config.address)
    try:
        facts = await pool.start_all()
    except WorkerError as error:
        pool.kill()
        _give_up(f"The script {location.script} cannot be hosted: {error}")
    logger.info(
        "script ready takes=%r python=%s workers=%d seconds=%.1f",
        facts["takes"],
        facts["python"],
        config.settings.workers,
        time.monotonic() - started,
    )
    report_to_parent(READY)
    await asyncio.Event().wait()


def _give_up(reason: str) -> None:
    report_failure(reason)
    os._exit(CANNOT_SERVE)


class _ScriptConnection(SocketClient):
    """The connection of one HTTP process. Maps its request numbers to queued requests."""

    def __init__(self, listener: SocketListener, pool: WorkerPool) -> None:
        super().__init__(listener)
        self._pool = pool
        self._open: dict[int, QueuedRequest] = {}

    def handle(self, frame: Frame) -> None:
        """Handle one frame."""
        if frame.kind is FrameKind.RUN:
            self._run(frame)
        elif frame.kind is FrameKind.CANCEL and frame.number in self._open:
            self._pool.cancel(self._open.pop(frame.number))

    def cancel_all(self) -> None:
        """Cancel all requests that came over this connection."""
        for request in self._open.values():
            self._pool.cancel(request)
        self._open.clear()

    def _run(self, frame: Frame) -> None:
        request = QueuedRequest(frame, time.monotonic(), float(frame.fields["deadline"]), self._reply)
        self._open[frame.number] = request
        retry_after_s = self._pool.submit(request)
        if retry_after_s is not None:
            del self._open[frame.number]
            self.connection.send(Frame(FrameKind.REFUSED, frame.number, {"retry_after": retry_after_s}))

    def _reply(self, reply: Frame) -> None:
        if self._open.pop(reply.number, None) is not None:  # None: cancelled while it ran
            self.reply(reply)
