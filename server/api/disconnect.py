"""Ends work whose client has disconnected, or whose deadline has passed."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from server.errors import ServiceError

T = TypeVar("T")

_REPLY_S = 0.25


async def cancel_on_disconnect(request: Request, work: Awaitable[T], deadline: float) -> T:
    """Return the result of `work`, which is cancelled when the client disconnects or at `deadline` (monotonic seconds).

    Raises ClientDisconnect in the first case, ServiceError `deadline_exceeded` in the second.
    """
    waiting, disconnected = asyncio.current_task(), False
    assert waiting is not None

    def cancel(watch: asyncio.Task[None]) -> None:
        nonlocal disconnected
        disconnected = True
        waiting.cancel()

    watch = asyncio.create_task(_disconnect(request))
    watch.add_done_callback(cancel)
    try:
        return await end_at_deadline(work, deadline)
    except asyncio.CancelledError:
        if not disconnected:
            raise
        waiting.uncancel()
        raise ClientDisconnect from None
    finally:
        watch.remove_done_callback(cancel)
        watch.cancel()


async def end_at_deadline(work: Awaitable[T], deadline: float) -> T:
    """Return the result of `work`, which is cancelled at `deadline`, with ServiceError `deadline_exceeded`."""
    try:
        # engines reply at the deadline themselves; the extra time gives that reply a chance to arrive
        async with asyncio.timeout(max(0.0, deadline - time.monotonic()) + _REPLY_S):
            return await work
    except TimeoutError:
        raise ServiceError("deadline_exceeded", "The request was not scored before its deadline.") from None


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
