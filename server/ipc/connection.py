"""Connection: one end of the wire on an event loop. Frames go in and out as they are."""

import asyncio
import logging
from asyncio import BaseTransport, Future, Transport
from collections.abc import Callable
from typing import cast

from server.ipc.frame import Frame, FrameError, FrameReader

logger = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """Calls `begun` when it is made, `received` with each frame, and `lost` once, whoever ends it.

    One that sends something else than frames is closed.
    """

    def __init__(
        self, received: Callable[[Frame], None], lost: Callable[[], None], begun: Callable[[], None] = lambda: None
    ) -> None:
        self._received = received
        self._lost = lost
        self._begun = begun
        self._reader = FrameReader()
        self._transport: Transport | None = None
        self._room: Future[None] | None = None  # done when the other side has read on

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin."""
        self._transport = cast(Transport, transport)
        self._begun()

    def data_received(self, data: bytes) -> None:
        """Hand on what `data` completes."""
        try:
            for frame in self._reader.feed(data):
                self._received(frame)
        except FrameError as error:
            logger.error("a connection sent no frame and is closed: %s", error)
            self.close()
        except Exception:  # whatever it is, the other side would wait for ever
            logger.exception("a frame could not be handled and its connection is closed")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._transport = None
        self.resume_writing()
        self._lost()

    def pause_writing(self) -> None:
        """Note that the other side does not keep up."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that it does again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def send(self, frame: Frame) -> None:
        """Write a frame, unless the connection has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(frame.parts())

    async def drained(self) -> None:
        """Wait until the other side has room for more."""
        if self._room is not None:
            await asyncio.shield(self._room)

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()
