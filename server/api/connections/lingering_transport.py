"""LingeringTransport: closes a connection so that a client that still sends gets to read the response."""

import asyncio

_LINGER_S = 2.0


class LingeringTransport(asyncio.Transport):
    """Writes to another transport. Closing ends only what is sent; the rest follows two seconds later.

    Data that arrives at a closed socket makes the operating system discard what the client has not read yet.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Tell whether the connection is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send no more, and read on for a while."""
        if not self._transport.is_closing():
            self._transport.write_eof()
            self._loop.call_later(_LINGER_S, self._transport.close)
