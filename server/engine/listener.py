"""Listener: the engine's end of the wire. Turns frames into pipeline calls and replies into frames."""

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explain.errors import ExplanationError
from explain.parameters import read_parameters
from server.engine.outcome import Failure, RefusedError, Reply
from server.engine.pipeline import Pipeline
from server.engine.wire import Frame, Kind, WireError, read_frame

logger = logging.getLogger(__name__)


class Listener:
    """Accepts HTTP processes, tells each of them every change of state, and serves them once there is a pipeline."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None
        self._state: dict[str, Any] = {"ready": False, "reason": "the model is loading"}
        self._writers: set[StreamWriter] = set()
        self._loop = asyncio.get_running_loop()

    async def listen(self, path: Path) -> None:
        """Start to accept connections on a Unix socket at `path`, replacing what a dead engine left there."""
        path.unlink(missing_ok=True)
        await asyncio.start_unix_server(self._serve, path)

    def announce(self, state: Mapping[str, Any]) -> None:
        """Tell all connections the new state; callable from any thread."""
        self._loop.call_soon_threadsafe(self._announce, dict(state))

    def _announce(self, state: dict[str, Any]) -> None:
        self._state = state
        for writer in self._writers:
            writer.writelines(Frame(Kind.STATE, fields=state).parts())

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = _Connection(self, writer, self._loop)
        self._writers.add(writer)
        writer.writelines(Frame(Kind.STATE, fields=self._state).parts())
        try:
            while (frame := await read_frame(reader)) is not None:
                connection.handle(frame)
        except WireError as error:
            logger.error("a connection sent no frame and is closed: %s", error)
        finally:
            self._writers.discard(writer)
            connection.abandon()
            writer.close()


class _Connection:
    """One HTTP process: maps its numbers for requests to those of the pipeline."""

    def __init__(self, listener: Listener, writer: StreamWriter, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._writer = writer
        self._loop = loop
        self._open: dict[int, int] = {}

    def handle(self, frame: Frame) -> None:
        pipeline = self._listener.pipeline
        if pipeline is None:
            raise WireError(f"{frame.kind.name} before the engine was ready")
        if frame.kind is Kind.SCORE:
            self._score(pipeline, frame)
        elif frame.kind is Kind.CANCEL and frame.number in self._open:
            pipeline.cancel(self._open.pop(frame.number))

    def abandon(self) -> None:
        """Cancel everything the HTTP process was waiting for."""
        for number in self._open.values():
            assert self._listener.pipeline is not None
            self._listener.pipeline.cancel(number)
        self._open.clear()

    def _score(self, pipeline: Pipeline, frame: Frame) -> None:
        def answer(reply: Reply) -> None:
            self._loop.call_soon_threadsafe(self._reply, frame.number, reply)

        try:
            explain = {int(index): read_parameters(asked) for index, asked in frame.fields["explain"].items()}
            settings = {int(index): given for index, given in frame.fields["settings"].items()}
            outcome = pipeline.submit(frame.blobs, float(frame.fields["deadline"]), answer, explain, settings)
        except (ExplanationError, RefusedError) as error:
            self._send(Frame(Kind.REFUSED, frame.number, {"code": error.code, "message": str(error)}))
            return
        if isinstance(outcome, float):
            self._send(Frame(Kind.REFUSED, frame.number, {"retry_after": outcome}))
        else:
            self._open[frame.number] = outcome

    def _reply(self, number: int, reply: Reply) -> None:
        if self._open.pop(number, None) is None:  # cancelled while the reply was on its way
            return
        failures = {
            str(index): [outcome.code, outcome.message]
            for index, outcome in enumerate(reply.outcomes)
            if isinstance(outcome, Failure)
        }
        blobs = [b"" if isinstance(outcome, Failure) else outcome for outcome in reply.outcomes]
        self._send(Frame(Kind.RESULT, number, {"failures": failures, "stages": dict(reply.stages)}, blobs))

    def _send(self, frame: Frame) -> None:
        if not self._writer.is_closing():
            self._writer.writelines(frame.parts())
