"""RawConnection: bytes to a server and its replies, for requests that no HTTP client would send."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A reply. Names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body parsed."""
        return msgspec.json.decode(self.body)


class RawConnection:
    """A connection to a server, by its URL or HOST:PORT; a context manager that closes it."""

    def __init__(self, address: str, timeout_s: float = 60) -> None:
        host, _, port = address.removeprefix("http://").rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout_s)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def send(self, content: bytes) -> Self:
        """Send bytes as they are."""
        self.socket.sendall(content)
        return self

    def reply(self, *, to_head: bool = False) -> ParsedReply:
        """Return the next reply; the one to a HEAD request has no body. ConnectionError where none comes."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        size = 0 if to_head else int(headers.get("content-length", "0"))
        while len(self._received) < size:
            self._receive()
        body, self._received = self._received[:size], self._received[size:]
        return ParsedReply(int(first.split()[1]), headers, body)

    def ends(self) -> bool:
        """Wait for the server to close the connection; False if it sends more, or does not within the timeout."""
        try:
            return not self._received and not self.socket.recv(1)
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _receive(self) -> None:
        received = self.socket.recv(2**16)
        if not received:
            raise ConnectionError(f"closed after {self._received!r}")
        self._received += received
