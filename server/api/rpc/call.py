"""RpcCall: gives every call an id, one log line, metrics and its errors, as RequestMiddleware does for HTTP."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from grpc.aio import EOF

from server.api.request_ids import RequestIds
from server.api.request_log import CLIENT_LEFT, RequestLog, add_error
from server.api.rpc.status import Metadata, error_metadata, status_code, status_text
from server.api.state import AppState
from server.errors import ServiceError, internal_error

logger = logging.getLogger("server.request")

# a call that the client cancelled, or the library, has no message at first, and ends a moment later
_CANCELLED_WITHIN_S = 0.1
_SMALL_S = 10.0


@dataclass(slots=True)
class RpcCall:
    """One call of a client, whose `context` is a grpc.aio.ServicerContext.

    `receiving` is held while a message is received that may be large. `facts` go into its log line, and
    `reply_metadata` are sent after the reply. The client gives up at `deadline`, in monotonic seconds.
    """

    state: AppState
    context: Any
    receiving: asyncio.Semaphore
    route: str
    path: str
    headers: list[tuple[bytes, bytes]]
    ids: RequestIds
    started: float
    deadline: float
    received: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    reply_metadata: list[tuple[str, str | bytes]] = field(default_factory=list)

    @classmethod
    def of(cls, state: AppState, context: Any, receiving: asyncio.Semaphore, *, route: str, path: str) -> "RpcCall":
        """Read the metadata and the deadline of a call of the method `path`, which has just arrived."""
        given = [(key, value) for key, value in context.invocation_metadata() or () if isinstance(value, str)]
        headers = [(key.encode(), value.encode("latin-1", "replace")) for key, value in given]
        started, remaining = time.monotonic(), context.time_remaining()
        deadline = math.inf if remaining is None else started + remaining
        return cls(state, context, receiving, route, path, headers, RequestIds.of(headers), started, deadline)

    @property
    def authorization(self) -> str | None:
        """The key of the call, as HTTP's header of this name holds it."""
        return next((value.decode("latin-1") for name, value in self.headers if name == b"authorization"), None)

    async def message(self, deadline: float) -> bytes:
        """Read the one message of the call. ServiceError `body_timeout` after `deadline`, `body_empty` without one.

        The library tells neither how large a message will be nor how much of it is there, so the number of those that
        are received at a time bounds their memory.
        """
        return await self._read(deadline, self.receiving)

    async def small_message(self) -> bytes:
        """Read a message that holds names alone."""
        return await self._read(time.monotonic() + _SMALL_S, nullcontext())

    async def _read(self, deadline: float, turn: AbstractAsyncContextManager[None]) -> bytes:
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())), turn:
                message = await self.context.read()
        except TimeoutError:
            raise ServiceError("body_timeout", "The message did not arrive in time. Send it faster, or less.") from None
        if message is EOF:
            self.facts["message"] = "none, or more than --max-body-bytes"  # which the library answers by itself
            await asyncio.sleep(_CANCELLED_WITHIN_S)
            raise ServiceError("body_empty", "The call ended without a message.")
        assert isinstance(message, bytes)
        self.received = len(message)
        return message

    async def answer(self, work: Callable[["RpcCall"], Awaitable[bytes]], log: RequestLog) -> bytes:
        """Return the reply that `work` makes, or end the call with the status of its ServiceError."""
        status = 200
        try:
            self.ids.check()
            reply = await work(self)
            self.context.set_trailing_metadata((*self._id_metadata(), *self.reply_metadata))
            return reply
        except ServiceError as error:
            status = error.status
            # the library keeps the error until the next garbage collection, which must not keep the request, too
            await self.abort(error.with_traceback(None))
            raise  # not reached
        except asyncio.CancelledError:
            status = 504 if time.monotonic() >= self.deadline else CLIENT_LEFT
            raise
        except Exception:
            status = 500
            logger.exception("an error was not foreseen", extra={"facts": {"request_id": self.ids.request_id}})
            await self.abort(internal_error())
            raise
        finally:
            self._record(status, log)

    async def abort(self, error: ServiceError) -> None:
        """End the call with the status of an error, by raising what the library expects."""
        add_error(self.facts, error)
        metadata: Metadata = [*self._id_metadata(), *error_metadata(error)]
        await self.context.abort(status_code(error), status_text(error), tuple(metadata))

    def _id_metadata(self) -> Metadata:
        return [(name.decode(), value.decode("latin-1")) for name, value in self.ids.headers()]

    def _record(self, status: int, log: RequestLog) -> None:
        seconds = time.monotonic() - self.started
        self.state.metrics.requests.labels(self.route, str(status), self.facts.get("deployment", "")).inc()
        self.state.metrics.request_seconds.labels(self.route).observe(seconds)
        state = {"facts": self.facts, "request_id": self.ids.request_id}
        # what the log reads of a request over HTTP
        scope = {"path": self.path, "headers": self.headers, "client": _client(self.context.peer()), "state": state}
        log.write(scope, method="gRPC", route=self.route, status=status, seconds=seconds, received=self.received)


def _client(peer: str) -> tuple[str, int] | None:
    """Return the address in gRPC's name of a peer, such as ipv4:127.0.0.1:50000 or ipv6:%5B::1%5D:50000."""
    kind, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    return (host.strip("[]"), int(port)) if kind in ("ipv4", "ipv6") and port.isdecimal() else None
