"""Compressed bodies (https://www.rfc-editor.org/rfc/rfc9110#name-content-codings) -> their content, a piece at a time.

A megabyte can hold a gigabyte, so no piece is larger than a MiB, and whoever asks for the next one has counted it.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator

from server.errors import ServiceError
from settings.excerpt import excerpt

NOT_COMPRESSED = ("", "identity")
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS  # as zlib names the formats
_FORMATS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_PIECE_BYTES = 2**20
# what the event loop decompresses by itself, in a millisecond or less; a thread does the rest
_AT_ONCE_BYTES = 2**18
_DEFLATED = 8  # the method in the first byte of zlib's format
_MOST_STREAMS = 2**14  # files that were compressed apart and joined; the rest of a chunk is copied for each


class Decompressor:
    """Decompresses a body that arrives in chunks. ServiceError `content_encoding` where it cannot by `encoding`."""

    def __init__(self, encoding: str) -> None:
        if encoding not in _FORMATS:
            raise ServiceError(
                "content_encoding",
                f"The body is compressed by {excerpt(encoding)}. Send it as it is, or compressed by gzip or deflate.",
            )
        self._encoding = encoding
        self._left = b""  # of the chunks so far
        self._stream: zlib._Decompress | None = None
        self._streams = 0

    async def pieces(self, chunk: bytes) -> AsyncIterator[bytes]:
        """Yield what one more chunk adds, at most a MiB each. ServiceError `compression_invalid`."""
        self._left += chunk
        piece, most = b"", _AT_ONCE_BYTES
        while self._has_input() or (self._stream is not None and len(piece) == most):  # zlib may hold more than it gave
            if len(piece) == most:
                most = _PIECE_BYTES
            piece = self._next(most) if most == _AT_ONCE_BYTES else await asyncio.to_thread(self._next, most)
            if piece:
                yield piece

    def finish(self) -> None:
        """Check that the body is complete. ServiceError `compression_invalid`."""
        if self._stream is not None or self._left.strip(b"\0") or not self._streams:
            raise self._invalid("it ends too early")

    def _has_input(self) -> bool:
        if self._stream is not None:
            return bool(self._left)
        # between two streams there may be zeros, and the first two bytes tell what a stream is
        if self._streams:
            self._left = self._left.lstrip(b"\0")
        return len(self._left) > 1

    def _next(self, most: int) -> bytes:
        try:
            if self._stream is None:
                self._stream = zlib.decompressobj(self._format())
                self._streams += 1
            piece = self._stream.decompress(self._left, most)
        except zlib.error as error:
            raise self._invalid(str(error).partition(": ")[2] or str(error)) from None
        self._left = self._stream.unconsumed_tail
        if self._stream.eof:
            self._left, self._stream = self._stream.unused_data, None
            if self._streams == _MOST_STREAMS:
                raise self._invalid(f"it has {_MOST_STREAMS} parts or more")
        return piece

    def _format(self) -> int:
        known = _FORMATS[self._encoding]
        first, second = self._left[:2]
        # many programs call it deflate where the header of zlib's format is missing
        is_zlib = first & 15 == _DEFLATED and (256 * first + second) % 31 == 0
        return _RAW if known == _ZLIB and not is_zlib else known

    def _invalid(self, why: str) -> ServiceError:
        return ServiceError(
            "compression_invalid", f"The body is not the {self._encoding} that its Content-Encoding says: {why}."
        )
