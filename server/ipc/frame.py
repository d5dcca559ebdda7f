"""Frame: a message between an HTTP process and an engine or the process of a script, over a Unix socket.

A frame is a fixed header (magic, kind, number, length of the fields, count of blobs), the length of each blob, the
fields as JSON, then the bytes of the blobs. Numbers are big-endian. Nothing in a frame is ever executed.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Any

_HEADER = struct.Struct("!HBQII")
_MAGIC = 0x5167
_MAX_FIELDS_BYTES = 2**24
_MAX_BLOBS = 2**16
MAX_FRAME_BYTES = 2**31


class FrameError(Exception):
    """The other side sent something that is not a frame. The connection cannot be used any more."""


class FrameSizeError(ValueError):
    """A frame has more in it than the other side accepts. Nothing has been sent."""


class FrameKind(IntEnum):
    """What a frame means. SCORE, BATCH, RUN and CANCEL go to an engine or a script's process, the others come from it.

    BATCH comes from a decode worker. Its images are in the memory that the worker shares with its engine.
    """

    SCORE = 1
    CANCEL = 2
    RESULT = 3
    REFUSED = 4
    STATE = 5
    RUN = 6
    BATCH = 7


_to_json = json.JSONEncoder(separators=(",", ":")).encode
_KINDS = frozenset(kind.value for kind in FrameKind)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. A reply has the `number` of its request. Fields are JSON values, blobs any bytes."""

    kind: FrameKind
    number: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()

    def parts(self) -> list[bytes]:
        """Return the buffers to write, in order, without copying the blobs together; FrameSizeError."""
        fields, size = _to_json(self.fields).encode(), sum(map(len, self.blobs))
        if len(fields) > _MAX_FIELDS_BYTES:
            raise FrameSizeError(f"its fields have {len(fields)} bytes, and may have {_MAX_FIELDS_BYTES}")
        if len(self.blobs) > _MAX_BLOBS or size > MAX_FRAME_BYTES:
            raise FrameSizeError(
                f"it has {len(self.blobs)} blobs of {size} bytes, and may have {_MAX_BLOBS} of {MAX_FRAME_BYTES}"
            )
        lengths = struct.pack(f"!{len(self.blobs)}Q", *map(len, self.blobs))
        header = _HEADER.pack(_MAGIC, self.kind, self.number, len(fields), len(self.blobs))
        return [header, lengths, fields, *self.blobs]


class FrameReader:
    """Assembles frames from bytes that arrive in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = _HEADER.size  # bytes to wait for before reading on

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes. Raises FrameError where the bytes are no frame."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= self._needed and (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        buffer = self._buffer
        magic, kind, number, fields_length, count = _HEADER.unpack_from(buffer)
        if magic != _MAGIC or kind not in _KINDS or fields_length > _MAX_FIELDS_BYTES or count > _MAX_BLOBS:
            raise FrameError(f"expected the header of a frame, got {bytes(buffer[: _HEADER.size])!r}")
        start = _HEADER.size + 8 * count
        if len(buffer) < start:
            self._needed = start
            return None
        lengths = struct.unpack_from(f"!{count}Q", buffer, _HEADER.size)
        if sum(lengths) > MAX_FRAME_BYTES:
            raise FrameError(f"a frame of {sum(lengths)} bytes exceeds {MAX_FRAME_BYTES}")
        self._needed = start + fields_length + sum(lengths)
        if len(buffer) < self._needed:
            return None
        with memoryview(buffer) as memory:
            ends = [*accumulate(lengths, initial=start + fields_length)]
            fields, blobs = bytes(memory[start : ends[0]]), [bytes(memory[one:two]) for one, two in pairwise(ends)]
        del buffer[: self._needed]
        self._needed = _HEADER.size
        return Frame(FrameKind(kind), number, _object(fields), blobs)


def _object(fields: bytes) -> dict[str, Any]:
    try:
        value = json.loads(fields)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the fields of a frame are not JSON: {error}") from None
    if not isinstance(value, dict):
        raise FrameError(f"the fields of a frame are a {type(value).__name__}, expected an object")
    return value
