"""Commands from HTTP processes to the supervisor, over a Unix socket: a line of JSON each way."""

import asyncio
import json
import logging
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from server.errors import ServiceError

logger = logging.getLogger(__name__)

# a command carries a request body of at most 64 KiB, which JSON escapes may make six times as long; a reply describes
# every deployment
_MAX_LINE_BYTES = 2**24
_CREDENTIALS = struct.Struct("3i")  # process, user and group

CommandHandler = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


async def serve_commands(path: Path, handle: CommandHandler, allowed: Callable[[int], bool]) -> asyncio.AbstractServer:
    """Listen at `path`; `handle` gets the verb and the content of each command, and may raise ServiceError.

    Only processes whose id is `allowed` are answered: scripts run as the same user, and could open the socket too.
    """

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        if (pid := _peer_pid(writer)) is not None and not allowed(pid):
            logger.error("a command of another process than the server's is ignored pid=%d", pid)
            writer.close()
            return
        try:
            command = json.loads(await reader.readline())
            reply = {"done": await handle(command["verb"], command["content"])}
        except ServiceError as error:
            reply = {"code": error.code, "message": error.message}
        except Exception:  # of any kind: no command may end the supervisor
            logger.exception("a command failed")
            reply = {"code": "internal_error", "message": "The order failed. The server's log has the cause."}
        writer.write(json.dumps(reply).encode() + b"\n")
        writer.close()

    return await asyncio.start_unix_server(serve, path, limit=_MAX_LINE_BYTES)


def _peer_pid(writer: StreamWriter) -> int | None:
    if not hasattr(socket, "SO_PEERCRED"):  # only Linux tells
        return None
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(credentials)[0]
    return pid


async def send_command(path: Path, verb: str, content: Mapping[str, Any]) -> Any:
    """Send a command to the supervisor and return its reply. Raises the ServiceError of a command that failed."""
    try:
        line = await _exchange(path, json.dumps({"verb": verb, "content": content}).encode() + b"\n")
    except (ConnectionError, FileNotFoundError):
        line = b""
    if not line:
        raise ServiceError("draining", "The server is shutting down and takes no more orders.")
    reply = json.loads(line)
    if "code" in reply:
        raise ServiceError(reply["code"], reply["message"])
    return reply["done"]


async def _exchange(path: Path, line: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_LINE_BYTES)
    try:
        writer.write(line)
        return await reader.readline()
    finally:
        writer.close()
