"""RpcCall: gives every call an id, one log line, metrics and its errors, as RequestMiddleware does for HTTP."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from grpc.aio import EOF

from server.api.request_ids import RequestIds
from server.api.rpc.status import Metadata, error_metadata, status_code, status_text
from server.api.state import AppState
from server.errors import ServiceError

logger = logging.getLogger("server.request")

# a call that the client cancelled, or the library, has no message at first, and ends a moment later
_CANCELLED_WITHIN_S = 0.1
_CLIENT_LEFT = 499  # for the log and metrics alone: the client is gone


@dataclass(slots=True)
class RpcCall:
    """One call of a client, whose `context` is a grpc.aio.ServicerContext.

    `facts` go into its log line, and `reply_metadata` are sent after the reply. The client gives up at `deadline`, in
    monotonic seconds.
    """

    state: AppState
    method: str
    context: Any
    ids: RequestIds
    headers: dict[str, str]
    started: float
    deadline: float
    facts: dict[str, Any] = field(default_factory=dict)
    reply_metadata: list[tuple[str, str | bytes]] = field(default_factory=list)

    @classmethod
    def of(cls, state: AppState, method: str, context: Any) -> "RpcCall":
        """Read the metadata and the deadline of a call that has just arrived."""
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        ids = RequestIds.of([(key.encode(), value.encode("latin-1", "replace")) for key, value in headers.items()])
        started, remaining = time.monotonic(), context.time_remaining()
        deadline = math.inf if remaining is None else started + remaining
        return cls(state, method, context, ids, headers, started, deadline)

    @property
    def authorization(self) -> str | None:
        """The key of the call, as HTTP's header of this name holds it."""
        return self.headers.get("authorization")

    async def message(self, deadline: float) -> bytes:
        """Read the one message of the call. ServiceError `body_timeout` after `deadline`, `body_empty` without one."""
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                message = await self.context.read()
        except TimeoutError:
            raise ServiceError("body_timeout", "The message did not arrive in time. Send it faster, or less.") from None
        if message is EOF:
            self.facts["message"] = "none, or more than --max-body-bytes"  # which the library answers by itself
            await asyncio.sleep(_CANCELLED_WITHIN_S)
            raise ServiceError("body_empty", "The call ended without a message.")
        assert isinstance(message, bytes)
        return message

    async def answer(self, work: Callable[["RpcCall"], Awaitable[bytes]]) -> bytes:
        """Return the reply that `work` makes, or end the call with the status of its ServiceError."""
        status = 200
        try:
            self.ids.check()
            reply = await work(self)
            self.context.set_trailing_metadata((*self._id_metadata(), *self.reply_metadata))
            return reply
        except ServiceError as error:
            status = error.status
            await self._abort(error)
            raise  # not reached
        except asyncio.CancelledError:
            status = 504 if time.monotonic() >= self.deadline else _CLIENT_LEFT
            raise
        except Exception:
            status = 500
            logger.exception("an error was not foreseen", extra={"facts": {"request_id": self.ids.request_id}})
            await self._abort(
                ServiceError("internal_error", "An unexpected error occurred. The server's log has the cause.")
            )
            raise
        finally:
            self._record(status)

    async def _abort(self, error: ServiceError) -> None:
        metadata: Metadata = [*self._id_metadata(), *error_metadata(error)]
        self.facts["grpc"] = status_code(error).name
        await self.context.abort(status_code(error), status_text(error), tuple(metadata))

    def _id_metadata(self) -> Metadata:
        return [(name.decode(), value.decode("latin-1")) for name, value in self.ids.headers()]

    def _record(self, status: int) -> None:
        seconds = time.monotonic() - self.started
        self.state.metrics.requests.labels(self.method, str(status), self.facts.get("deployment", "")).inc()
        self.state.metrics.request_seconds.labels(self.method).observe(seconds)
        level = logging.INFO if status >= 400 or "deployment" in self.facts else logging.DEBUG
        head = {"status": status, "method": "gRPC", "route": self.method, "ms": round(1000 * seconds, 1)}
        logger.log(level, "request", extra={"facts": head | self.facts | {"request_id": self.ids.request_id}})
