"""LingeringTransport: closes a connection so that a client that still sends gets to read the response."""

import asyncio
from collections.abc import Callable

_SILENCE_S = 2.0
_MOST_BYTES = 2**27  # twice the largest body by default


class LingeringTransport(asyncio.Transport):
    """Writes to another transport. Closing it while the client still sends ends only what is sent to the client.

    Data that arrives at a closed socket makes the operating system discard what the client has not read yet: a proxy
    then answers 502. The connection closes once its owner calls `end`, after two seconds without data, or after
    _MOST_BYTES more.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, client_sends: Callable[[], bool]
    ) -> None:
        """Close `transport` late where `client_sends` is true at that time."""
        super().__init__()
        self.lingers = False
        self.write = transport.write  # type: ignore[method-assign] # each response calls it
        self._transport = transport
        self._loop = loop
        self._client_sends = client_sends
        self._received = self._received_before = 0

    def is_closing(self) -> bool:
        """Tell whether the connection is closing."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send no more, and read on for a while if the client still sends."""
        if self._transport.is_closing() or self.lingers:
            return
        if not self._client_sends():
            self._transport.close()
            return
        self.lingers = True
        self._transport.write_eof()
        self._loop.call_later(_SILENCE_S, self._end_if_silent)

    def received(self, count: int) -> None:
        """Note that so many bytes have arrived and were thrown away."""
        self._received += count
        if self._received > _MOST_BYTES:
            self.end()

    def end(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _end_if_silent(self) -> None:
        if self._received == self._received_before:
            self.end()
        elif not self._transport.is_closing():
            self._received_before = self._received
            self._loop.call_later(_SILENCE_S, self._end_if_silent)
