"""Connection: one end of a socket that carries frames, on an event loop."""

import asyncio
import logging
from asyncio import BaseTransport, Future, Transport
from collections.abc import Callable
from typing import cast

from server.ipc.frame import Frame, FrameError, FrameReader

logger = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """Calls `on_connected` once it is made, `on_frame` with each frame, and `on_lost` once, whichever side ends it.

    A connection on which anything but frames arrives is closed.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[], None],
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._on_connected = on_connected
        self._reader = FrameReader()
        self._transport: Transport | None = None
        self._writable: Future[None] | None = None  # set while the other side reads too slowly, done when it has read

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(Transport, transport)
        self._on_connected()

    def data_received(self, data: bytes) -> None:
        """Pass on the frames that `data` completes."""
        try:
            for frame in self._reader.feed(data):
                self._on_frame(frame)
        except FrameError as error:
            logger.error("a connection sent no frame, closing it: %s", error)
            self.close()
        except Exception:  # of any kind: the other side would wait for a reply for ever
            logger.exception("handling a frame failed, closing its connection")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Drop the transport."""
        self._transport = None
        self.resume_writing()
        self._on_lost()

    def pause_writing(self) -> None:
        """Note that the other side reads too slowly."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that the other side has read."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def send(self, frame: Frame) -> None:
        """Write a frame, unless the connection is closed. FrameSizeError where the other side would not accept it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(frame.parts())

    async def drained(self) -> None:
        """Wait while the other side reads too slowly."""
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def close(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()
