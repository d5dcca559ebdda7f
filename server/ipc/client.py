"""EngineClient: an HTTP process's side of the socket to an engine. One connection, any number of requests in flight."""

import asyncio
import itertools
import time
from asyncio import Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from server.errors import ServiceError
from server.ipc.connection import Connection
from server.ipc.frame import Frame, FrameKind
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome, Reply
from server.ipc.raw_http import RawReply, RawRequest
from server.latency import LatencyModel

_RECONNECT_S = 0.05
# a full engine can only predict how soon it has room: it is asked again after this time
_RETRY_FULL_S = 0.1
ByIndex = Mapping[int, Mapping[str, Any]]  # of the images of a request

NOTHING: ByIndex = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The last time an engine said that it was full, and until when it expects to be; monotonic seconds."""

    at: float = float("-inf")
    until: float = float("-inf")


class EngineClient:
    """Keeps a connection to the engine at `path`; when it breaks, everything in flight fails at once."""

    def __init__(self, path: Path) -> None:
        self.ready = False
        self.reason = "the engine is starting"
        self.model = ModelFacts()
        self.images_in_flight = 0
        self._path = path
        self._numbers = itertools.count(1)
        self._replies: dict[int, Future[Frame]] = {}
        self._connection: Connection | None = None
        self._refusals = {explains: _Refusal() for explains in (False, True)}
        self._pace = {explains: LatencyModel() for explains in (False, True)}
        self._decode_workers: dict[str, EngineClient] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def connect(self) -> None:
        """Start to connect, and keep connected, from the running event loop."""
        self._tasks.append(asyncio.get_running_loop().create_task(self.run()))

    def close(self) -> None:
        """Drop the connection, and with it all work in flight."""
        for worker in self._decode_workers.values():
            worker.close()
        for task in self._tasks:
            task.cancel()

    @property
    def scoring_client(self) -> "EngineClient":
        """The client to ask for scores: that of the least busy decode worker, or this one without any."""
        workers = [worker for worker in self._decode_workers.values() if worker.ready]
        return min(workers, key=lambda worker: (worker.known_full_s(False), worker.images_in_flight), default=self)

    @property
    def busy(self) -> bool:
        """Whether any request is in flight, to this engine or to its decode workers."""
        return self.images_in_flight > 0 or any(worker.busy for worker in self._decode_workers.values())

    def full_s(self, explains: bool) -> float:
        """Return for how many more seconds there is no room, as the engine said when it last refused such a request.

        Requests that explain wait in a lane of their own: that it is full says nothing about plain scoring.
        """
        return max(0.0, self._refusals[explains].until - time.monotonic())

    def known_full_s(self, explains: bool) -> float:
        """Return the same, but 0 where the engine said so too long ago to be believed without asking again."""
        return self.full_s(explains) if time.monotonic() - self._refusals[explains].at < _RETRY_FULL_S else 0.0

    def finish_s(self, images: int, explains: bool) -> float:
        """Predict in how many seconds so many more images would be answered: 0 as long as nothing is known."""
        client = self if explains else self.scoring_client
        return max(client.full_s(explains), client._pace[explains].seconds(client.images_in_flight + images))

    async def run(self) -> None:
        """Connect, and connect again whenever the connection breaks; for ever."""
        while True:
            try:
                await self._live()
            except OSError:
                await asyncio.sleep(_RECONNECT_S)

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def begun() -> None:
            self._connection = connection

        connection = Connection(self._received, partial(ended.set_result, None), begun)
        await loop.create_unix_connection(lambda: connection, str(self._path))
        try:
            await asyncio.shield(ended)
        finally:
            connection.close()
            self._lost()

    async def score(
        self,
        pictures: Sequence[bytes],
        deadline: float,
        explain: ByIndex = NOTHING,
        settings: ByIndex = NOTHING,
    ) -> Reply:
        """Have encoded images scored before `deadline` (monotonic seconds); their outcomes come in order.

        `explain` holds the parameters of the images that are to be explained as well, `settings` the
        `inference_parameters` of those that have some. Raises ServiceError: `queue_full`, a code of ExplanationError or
        RefusedError where this model cannot be asked for that, or `engine_unavailable` where the engine is not ready or
        dies meanwhile. When the caller is cancelled, so is the work.
        """
        fields = {"deadline": deadline, "explain": _plain(explain), "settings": _plain(settings)}
        return _reply(await self._exchange(FrameKind.SCORE, fields, pictures, explains=bool(explain)))

    async def answer(self, request: RawRequest, deadline: float) -> RawReply:
        """Have a script answer a request before `deadline` (monotonic seconds).

        Raises ServiceError as `score` does, or with a code that says how the script failed.
        """
        return RawReply.of(await self._exchange(FrameKind.RUN, request.fields(deadline), [request.body]))

    async def compute(self, number: int, slot: int, images: int) -> Outcome:
        """Have the engine compute the images in a slot of the memory it shares with worker `number`: bytes of [N, C].

        Raises ServiceError `engine_unavailable` where the engine dies meanwhile.
        """
        if self._connection is None:
            raise _unavailable(self.reason)
        fields = {"number": number, "slot": slot, "images": images}
        (outcome,) = _reply(await self._request(self._connection, FrameKind.BATCH, fields)).outcomes
        return outcome

    async def _exchange(
        self, kind: FrameKind, fields: dict[str, Any], blobs: Sequence[bytes], *, explains: bool = False
    ) -> Frame:
        connection = self._connection
        if connection is None or not self.ready:
            raise _unavailable(self.reason)
        if (full_s := self.known_full_s(explains)) > 0:
            # sending the images only to hear the same again would take time from those that are being scored
            raise queue_full(full_s)
        self.images_in_flight += len(blobs)
        queued, sent = self.images_in_flight, time.monotonic()
        try:
            frame = await self._request(connection, kind, fields, blobs)
            if frame.kind is FrameKind.REFUSED and "code" in frame.fields:
                raise ServiceError(frame.fields["code"], frame.fields["message"])
            if frame.kind is FrameKind.REFUSED:
                retry_after_s = float(frame.fields["retry_after"])
                now = time.monotonic()
                self._refusals[explains] = _Refusal(now, now + retry_after_s)
                raise queue_full(retry_after_s)
            self._pace[explains].observe(queued, time.monotonic() - sent)
            return frame
        finally:
            self.images_in_flight -= len(blobs)

    async def _request(
        self, connection: Connection, kind: FrameKind, fields: dict[str, Any], blobs: Sequence[bytes] = ()
    ) -> Frame:
        number = next(self._numbers)
        reply: Future[Frame] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        try:
            connection.send(Frame(kind, number, fields, blobs))
            await connection.drained()
            return await reply
        except asyncio.CancelledError:
            connection.send(Frame(FrameKind.CANCEL, number))
            raise
        finally:
            self._replies.pop(number, None)

    def _received(self, frame: Frame) -> None:
        if frame.kind is FrameKind.STATE:
            self.ready, self.reason = bool(frame.fields["ready"]), str(frame.fields["reason"])
            self.model = ModelFacts.of(frame.fields["model"]) if "model" in frame.fields else self.model
            self._connect_workers(frame.fields.get("decode_workers", ()))
        elif (reply := self._replies.get(frame.number)) is not None and not reply.done():
            reply.set_result(frame)

    def _connect_workers(self, paths: Sequence[str]) -> None:
        # the workers of an engine that is started again listen where the former ones did
        for path in paths:
            if path not in self._decode_workers:
                self._decode_workers[path] = worker = EngineClient(Path(path))
                worker.connect()

    def _lost(self) -> None:
        self._connection, self.ready, self.reason = None, False, "the engine stopped and is being started again"
        self._refusals = {explains: _Refusal() for explains in (False, True)}
        error = ServiceError("engine_unavailable", f"The request was lost: {self.reason}. Try again shortly.")
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(error)


def _plain(by_index: ByIndex) -> dict[str, dict[str, Any]]:
    return {str(index): dict(parameters) for index, parameters in by_index.items()}


def _unavailable(reason: str) -> ServiceError:
    return ServiceError("engine_unavailable", f"No model can score now: {reason}. Try again shortly.")


def queue_full(retry_after_s: float) -> ServiceError:
    """Return the refusal of a request for which there may be room in so many seconds."""
    message = f"The queue is full. There may be room in {retry_after_s:.1f} s: try again after that."
    return ServiceError("queue_full", message, retry_after_s=retry_after_s)


def _reply(frame: Frame) -> Reply:
    failures = {int(index): Failure(*failure) for index, failure in frame.fields["failures"].items()}
    outcomes: list[Outcome] = [failures.get(index, blob) for index, blob in enumerate(frame.blobs)]
    return Reply(outcomes, frame.fields["stages"])
