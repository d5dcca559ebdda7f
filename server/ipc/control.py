"""Control: orders from HTTP processes to the supervisor, over a Unix socket: a line of JSON each way."""

import asyncio
import json
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from server.errors import ServiceError

logger = logging.getLogger(__name__)

_LONGEST = 2**24  # an order that is wrong in every word is answered at length

Obey = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


async def take_orders(path: Path, obey: Obey) -> asyncio.AbstractServer:
    """Listen at `path`; `obey` is given the verb and the content of each order, and may raise ServiceError."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            order = json.loads(await reader.readline())
            reply = {"done": await obey(order["verb"], order["content"])}
        except ServiceError as error:
            reply = {"code": error.code, "message": error.message}
        except Exception:  # the supervisor has to live on whatever an order does
            logger.exception("an order failed")
            reply = {"code": "internal_error", "message": "The order failed. The server's log has the cause."}
        writer.write(json.dumps(reply).encode() + b"\n")
        writer.close()

    return await asyncio.start_unix_server(serve, path, limit=_LONGEST)


async def order(path: Path, verb: str, content: Mapping[str, Any]) -> Any:
    """Have the supervisor do something, and return what it says; ServiceError where it cannot."""
    reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST)
    try:
        writer.write(json.dumps({"verb": verb, "content": content}).encode() + b"\n")
        reply = json.loads(await reader.readline())
    finally:
        writer.close()
    if "code" in reply:
        raise ServiceError(reply["code"], reply["message"])
    return reply["done"]
