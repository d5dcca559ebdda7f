"""SocketListener: where HTTP processes connect to an engine or to the host of a script, and are told its state."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.ipc.connection import Connection
from server.ipc.frame import Frame, FrameKind


class SocketListener:
    """Accepts HTTP processes and tells each of them every change of state. `visitor` makes what serves one of them."""

    def __init__(self, reason: str, visitor: Callable[[], "SocketClient"]) -> None:
        self.state: dict[str, Any] = {"ready": False, "reason": reason}
        self.visitors: set[SocketClient] = set()
        self._visitor = visitor
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.AbstractServer | None = None  # event loops keep no reference of their own

    async def listen(self, path: Path) -> None:
        """Start to accept connections on a Unix socket at `path`, replacing what a dead process left there."""
        path.unlink(missing_ok=True)
        self._server = await self._loop.create_unix_server(lambda: self._visitor().connection, str(path))

    def announce(self, state: Mapping[str, Any]) -> None:
        """Tell all connections the new state; callable from any thread."""
        self._loop.call_soon_threadsafe(self._announce, dict(state))

    def _announce(self, state: dict[str, Any]) -> None:
        self.state = state
        for visitor in self.visitors:
            visitor.connection.send(Frame(FrameKind.STATE, fields=state))


class SocketClient(ABC):
    """One HTTP process."""

    def __init__(self, entrance: SocketListener) -> None:
        self.connection = Connection(self.handle, self._leave, begun=self._come)
        self._entrance = entrance

    @abstractmethod
    def handle(self, frame: Frame) -> None:
        """Do what a frame asks for."""

    @abstractmethod
    def abandon(self) -> None:
        """Cancel everything that the HTTP process was waiting for."""

    def _come(self) -> None:
        """Tell the state to whoever has just connected, and from then on every change."""
        self._entrance.visitors.add(self)
        self.connection.send(Frame(FrameKind.STATE, fields=self._entrance.state))

    def _leave(self) -> None:
        self._entrance.visitors.discard(self)
        self.abandon()
