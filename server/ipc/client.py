"""EngineClient: the HTTP process's end of the socket to an engine. One connection, many requests in flight."""

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
from server.ipc.frame import Frame, FrameKind, FrameSizeError
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure, Outcome, Reply
from server.ipc.raw_http import RawReply, RawRequest
from server.latency import LatencyModel

_RECONNECT_S = 0.05
# a full engine only estimates when it has room: requests are sent to it again after this time
_RETRY_FULL_S = 0.1
ByIndex = Mapping[int, Mapping[str, Any]]  # index of an image in its request -> parameters

NOTHING: ByIndex = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """When an engine last refused a request as full, and until when it expects to be; monotonic seconds."""

    at: float = float("-inf")
    until: float = float("-inf")


class EngineClient:
    """Keeps a connection to the engine at `path`. When it breaks, all requests in flight fail at once."""

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
        self._latency = {explains: LatencyModel() for explains in (False, True)}
        self._decode_workers: dict[str, EngineClient] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def connect(self) -> None:
        """Connect, and stay connected, on the running event loop."""
        self._tasks.append(asyncio.get_running_loop().create_task(self.run()))

    def close(self) -> None:
        """Close the connection, which cancels all requests in flight."""
        for worker in self._decode_workers.values():
            worker.close()
        for task in self._tasks:
            task.cancel()

    @property
    def scoring_client(self) -> "EngineClient":
        """The client for scoring requests: that of the least busy decode worker, or this one where there is none."""
        workers = [worker for worker in self._decode_workers.values() if worker.ready]
        return min(workers, key=lambda worker: (worker.known_full_s(False), worker.images_in_flight), default=self)

    @property
    def busy(self) -> bool:
        """Whether any request is in flight, to this engine or to its decode workers."""
        return self.images_in_flight > 0 or any(worker.busy for worker in self._decode_workers.values())

    def full_s(self, explains: bool) -> float:
        """Return the seconds until there is room, as the engine estimated when it last refused such a request.

        Requests that explain wait in a lane of their own, which may be full while that of scoring is not.
        """
        return max(0.0, self._refusals[explains].until - time.monotonic())

    def known_full_s(self, explains: bool) -> float:
        """Return the same, but 0 where that estimate is older than _RETRY_FULL_S, so that the engine is tried again."""
        return self.full_s(explains) if time.monotonic() - self._refusals[explains].at < _RETRY_FULL_S else 0.0

    def finish_s(self, images: int, explains: bool) -> float:
        """Predict the seconds until so many more images are answered: 0 before the first reply."""
        client = self if explains else self.scoring_client
        return max(client.full_s(explains), client._latency[explains].seconds(client.images_in_flight + images))

    async def run(self) -> None:
        """Connect, and reconnect whenever the connection breaks, for ever."""
        while True:
            try:
                await self._connect_until_lost()
            except OSError:
                await asyncio.sleep(_RECONNECT_S)

    async def _connect_until_lost(self) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def connected() -> None:
            self._connection = connection

        connection = Connection(self._received, partial(ended.set_result, None), connected)
        await loop.create_unix_connection(lambda: connection, str(self._path))
        try:
            await asyncio.shield(ended)
        finally:
            connection.close()
            self._lost()

    async def score(
        self,
        images: Sequence[bytes],
        deadline: float,
        explain: ByIndex = NOTHING,
        settings: ByIndex = NOTHING,
    ) -> Reply:
        """Score encoded images before `deadline` (monotonic seconds), and return their outcomes in order.

        `explain` holds the parameters of the images to be explained, `settings` the `inference_parameters` of those
        that have some. Raises ServiceError: `queue_full`, a code of ExplanationError or RefusedError where this model
        cannot process the request, or `engine_unavailable` where the engine is not ready or ends meanwhile. When the
        caller is cancelled, the work is cancelled too.
        """
        fields = {"deadline": deadline, "explain": _plain(explain), "settings": _plain(settings)}
        return _reply(await self._exchange(FrameKind.SCORE, fields, images, explains=bool(explain)))

    async def answer(self, request: RawRequest, deadline: float) -> RawReply:
        """Run a script on a request before `deadline` (monotonic seconds), and return its reply.

        Raises ServiceError as `score` does, or with the code of the script's failure.
        """
        return RawReply.of(await self._exchange(FrameKind.RUN, request.fields(deadline), [request.body]))

    async def compute(self, number: int, slot: int, images: int) -> Outcome:
        """Compute, in the engine, the images in a slot of the memory that it shares with worker `number`.

        Returns the outputs, float32 [N, C] as bytes. Raises ServiceError `engine_unavailable` where the engine ends
        meanwhile.
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
            # it would refuse these images too, and receiving them would delay those that it is scoring
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
            self._latency[explains].observe(queued, time.monotonic() - sent)
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
        except FrameSizeError as error:
            raise ServiceError(
                "body_too_large",
                f"The request is too large for the engine: {error}. Send fewer images, or fewer parameters.",
            ) from None
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
        # when an engine is started again, its workers listen at the same addresses as before
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
    """Return the error of a request for which there may be room in so many seconds."""
    message = f"The queue is full. There may be room in {retry_after_s:.1f} s: try again after that."
    return ServiceError("queue_full", message, retry_after_s=retry_after_s)


def _reply(frame: Frame) -> Reply:
    failures = {int(index): Failure(*failure) for index, failure in frame.fields["failures"].items()}
    outcomes: list[Outcome] = [failures.get(index, blob) for index, blob in enumerate(frame.blobs)]
    return Reply(outcomes, frame.fields["stages"])
