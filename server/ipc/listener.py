"""SocketListener: accepts the connections of HTTP processes to an engine or a script, and sends them its state."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.ipc.connection import Connection
from server.ipc.frame import Frame, FrameKind, FrameSizeError


class SocketListener:
    """Accepts connections and sends every change of state to all of them. `make_client` serves one connection."""

    def __init__(self, reason: str, make_client: Callable[[], "SocketClient"]) -> None:
        self.state: dict[str, Any] = {"ready": False, "reason": reason}
        self.clients: set[SocketClient] = set()
        self._make_client = make_client
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.AbstractServer | None = None  # event loops keep no reference of their own

    async def listen(self, path: Path) -> None:
        """Listen on a Unix socket at `path`, which replaces the socket of a process that has ended."""
        path.unlink(missing_ok=True)
        self._server = await self._loop.create_unix_server(lambda: self._make_client().connection, str(path))

    def announce(self, state: Mapping[str, Any]) -> None:
        """Send the new state to all connections; callable from any thread."""
        self._loop.call_soon_threadsafe(self._announce, dict(state))

    def _announce(self, state: dict[str, Any]) -> None:
        self.state = state
        for client in self.clients:
            client.connection.send(Frame(FrameKind.STATE, fields=state))


class SocketClient(ABC):
    """The listener's side of one connection, of an HTTP process or a decode worker."""

    def __init__(self, listener: SocketListener) -> None:
        self.connection = Connection(self.handle, self._disconnected, on_connected=self._connected)
        self._socket_listener = listener

    @abstractmethod
    def handle(self, frame: Frame) -> None:
        """Handle one frame."""

    @abstractmethod
    def cancel_all(self) -> None:
        """Cancel all requests that came over this connection."""

    def reply(self, frame: Frame) -> None:
        """Send a reply; in place of one that no frame can hold, refuse its request."""
        try:
            self.connection.send(frame)
        except FrameSizeError as error:
            message = f"The reply is too large to be sent: {error}. Ask for fewer images or attributions at once."
            self.connection.send(
                Frame(FrameKind.REFUSED, frame.number, {"code": "reply_too_large", "message": message})
            )

    def _connected(self) -> None:
        """Send the current state, and from now on every change."""
        self._socket_listener.clients.add(self)
        self.connection.send(Frame(FrameKind.STATE, fields=self._socket_listener.state))

    def _disconnected(self) -> None:
        self._socket_listener.clients.discard(self)
        self.cancel_all()
