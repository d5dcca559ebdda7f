"""The process of a script: starts its workers, which run init(), and serves HTTP processes."""

import asyncio
import logging
import os
import time
from importlib import import_module

import uvloop

from server.errors import internal_error
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
from settings.server import ServerSettings

logger = logging.getLogger("server.scripts")

_EXPLAINS = b"model_explainability"  # in every body that may ask for an explanation


def main() -> None:
    """Run a script until the parent pipe closes. Exits with CANNOT_SERVE where the script cannot be served."""
    config = read_config()
    configure_logs(config.settings.log_format, config.settings.log_level, deployment=config.deployment)
    uvloop.run(_serve(config))


async def _serve(config: ProcessConfig) -> None:
    assert config.script is not None
    started = time.monotonic()
    listener = SocketListener("the script is starting", lambda: _ScriptConnection(listener, pool, config.settings))
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
    """The connection of one HTTP process. Maps its request numbers to queued requests, and to explanations."""

    def __init__(self, listener: SocketListener, pool: WorkerPool, settings: ServerSettings) -> None:
        super().__init__(listener)
        self._pool = pool
        self._settings = settings
        self._open: dict[int, QueuedRequest] = {}
        self._explained: dict[int, asyncio.Task[None]] = {}

    def handle(self, frame: Frame) -> None:
        """Handle one frame."""
        if frame.kind is FrameKind.RUN and _EXPLAINS in frame.blobs[0]:
            self._explained[frame.number] = asyncio.get_running_loop().create_task(self._explain(frame))
        elif frame.kind is FrameKind.RUN:
            self._run(frame)
        elif frame.kind is FrameKind.CANCEL and frame.number in self._open:
            self._pool.cancel(self._open.pop(frame.number))
        elif frame.kind is FrameKind.CANCEL and frame.number in self._explained:
            self._explained.pop(frame.number).cancel()

    def cancel_all(self) -> None:
        """Cancel all requests that came over this connection."""
        for request in self._open.values():
            self._pool.cancel(request)
        self._open.clear()
        for task in self._explained.values():
            task.cancel()
        self._explained.clear()

    def _run(self, frame: Frame) -> None:
        request = QueuedRequest(frame, time.monotonic(), float(frame.fields["deadline"]), self._reply)
        self._open[frame.number] = request
        retry_after_s = self._pool.submit(request)
        if retry_after_s is not None:
            del self._open[frame.number]
            self.connection.send(Frame(FrameKind.REFUSED, frame.number, {"retry_after": retry_after_s}))

    async def _explain(self, frame: Frame) -> None:
        try:
            # imported for the first explanation, as most scripts never see one; in a thread, as it takes a while
            explanation = await asyncio.to_thread(import_module, "server.scripts.explaining.explanation")
            reply = await explanation.explained(frame, self._pool.answered, self._settings)
        except Exception:
            logger.exception("an explanation failed", extra={"facts": {"request_id": frame.fields["request_id"]}})
            fields = {"code": "internal_error", "message": internal_error().message}
            reply = Frame(FrameKind.REFUSED, frame.number, fields)
        if self._explained.pop(frame.number, None) is not None:
            self.reply(reply)

    def _reply(self, reply: Frame) -> None:
        if self._open.pop(reply.number, None) is not None:  # None: cancelled while it ran
            self.reply(reply)
