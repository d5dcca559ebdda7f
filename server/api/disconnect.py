"""Waits for work, but no longer than the client that asked for it does."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from server.errors import ServiceError

T = TypeVar("T")


async def while_connected(request: Request, work: Awaitable[T], deadline: float) -> T:
    """Wait for `work`; ClientDisconnect once the client has left, ServiceError `deadline_exceeded` at the deadline."""
    waiting, has_left = asyncio.current_task(), False
    assert waiting is not None

    def leave(watch: asyncio.Task[None]) -> None:
        nonlocal has_left
        has_left = True
        waiting.cancel()

    watch = asyncio.create_task(_disconnected(request))
    watch.add_done_callback(leave)
    try:
        # the engine answers at the deadline itself; the extra time is for an engine that cannot
        async with asyncio.timeout(max(0.0, deadline - time.monotonic()) + 0.25):
            return await work
    except TimeoutError:
        raise ServiceError("deadline_exceeded", "The request was not scored before its deadline.") from None
    except asyncio.CancelledError:
        if not has_left:
            raise
        waiting.uncancel()
        raise ClientDisconnect from None
    finally:
        watch.remove_done_callback(leave)
        watch.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
