"""EngineListener: the engine's end of the socket. Frames become calls of the pipeline, and replies become frames."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from explain.errors import ExplanationError
from explain.request.parameters import ExplanationParameters
from server.engine.pipeline.pipeline import Pipeline
from server.engine.workers.decode_workers import DecodeWorkers
from server.ipc.frame import Frame, FrameError, FrameKind
from server.ipc.listener import SocketClient, SocketListener
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, RefusedError, Reply


class EngineListener(SocketListener):
    """Accepts connections of HTTP processes and decode workers, and serves them once `pipeline` is set."""

    def __init__(self) -> None:
        super().__init__("the model is loading", lambda: _EngineConnection(self, asyncio.get_running_loop()))
        self.pipeline: Pipeline | None = None
        self.decode_workers: DecodeWorkers | None = None
        self._model: dict[str, Any] = {}

    def set_model(self, model: ModelFacts) -> None:
        """Add the facts of the model to every state that is announced from now on."""
        self._model = {"model": model.fields()}

    def announce(self, state: Mapping[str, Any]) -> None:
        """Send the new state to all connections; callable from any thread."""
        workers = self.decode_workers
        addresses = {} if workers is None else {"decode_workers": list(map(str, workers.addresses))}
        super().announce({**state, **self._model, **addresses})


class _EngineConnection(SocketClient):
    """The connection of one HTTP process or decode worker. Maps its request numbers to those of the pipeline."""

    def __init__(self, listener: EngineListener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(listener)
        self._listener = listener
        self._loop = loop
        self._open: dict[int, int] = {}

    def handle(self, frame: Frame) -> None:
        """Handle one frame."""
        pipeline = self._listener.pipeline
        if pipeline is None:
            raise FrameError(f"{frame.kind.name} before the engine was ready")
        if frame.kind is FrameKind.SCORE:
            self._score(pipeline, frame)
        elif frame.kind is FrameKind.BATCH:
            self._compute(pipeline, frame)
        elif frame.kind is FrameKind.CANCEL and frame.number in self._open:
            pipeline.cancel(self._open.pop(frame.number))

    def cancel_all(self) -> None:
        """Cancel all requests that came over this connection."""
        for number in self._open.values():
            assert self._listener.pipeline is not None
            self._listener.pipeline.cancel(number)
        self._open.clear()

    def _score(self, pipeline: Pipeline, frame: Frame) -> None:
        try:
            explain = {
                int(index): ExplanationParameters.from_fields(fields)
                for index, fields in frame.fields["explain"].items()
            }
            settings = {int(index): given for index, given in frame.fields["settings"].items()}
            answer, deadline = self._answer(frame), float(frame.fields["deadline"])
            outcome = pipeline.submit(frame.blobs, deadline, answer, explain, settings)
        except (ExplanationError, RefusedError) as error:
            self.connection.send(Frame(FrameKind.REFUSED, frame.number, {"code": error.code, "message": str(error)}))
            return
        if isinstance(outcome, float):
            self.connection.send(Frame(FrameKind.REFUSED, frame.number, {"retry_after": outcome}))
        else:
            self._open[frame.number] = outcome

    def _compute(self, pipeline: Pipeline, frame: Frame) -> None:
        assert self._listener.decode_workers is not None
        images = self._listener.decode_workers.batch(**frame.fields)
        self._open[frame.number] = pipeline.submit_batch(images, self._answer(frame))

    def _answer(self, frame: Frame) -> Callable[[Reply], None]:
        def answer(reply: Reply) -> None:
            self._loop.call_soon_threadsafe(self._reply, frame.number, reply)

        return answer

    def _reply(self, number: int, reply: Reply) -> None:
        if self._open.pop(number, None) is None:  # cancelled while the reply was on its way
            return
        failures = {
            str(index): [outcome.code, outcome.message]
            for index, outcome in enumerate(reply.outcomes)
            if isinstance(outcome, Failure)
        }
        blobs = [b"" if isinstance(outcome, Failure) else outcome for outcome in reply.outcomes]
        fields = {"failures": failures, "stages": dict(reply.stages)}
        self.reply(Frame(FrameKind.RESULT, number, fields, blobs))
