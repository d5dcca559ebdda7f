"""Length-prefixed frames between HTTP processes and an engine, over a Unix socket.

A frame is a fixed header (magic, kind, number, length of the fields, count of blobs), the length of each blob, the
fields as JSON, then the blobs as they are. Numbers are big-endian. Nothing in a frame is ever executed.
"""

import json
import struct
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

_HEADER = struct.Struct("!HBQII")
_MAGIC = 0x5167
_MAX_FIELDS = 2**24
_MAX_BLOBS = 2**16
MAX_FRAME_BYTES = 2**31


class WireError(Exception):
    """The other side sent something that is not a frame; the connection cannot be used any more."""


class Kind(IntEnum):
    """What a frame means. SCORE and CANCEL go to the engine, the others come from it."""

    SCORE = 1
    CANCEL = 2
    RESULT = 3
    REFUSED = 4
    STATE = 5


_KINDS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `number` ties a reply to its request; fields are JSON values, blobs any bytes."""

    kind: Kind
    number: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()

    def parts(self) -> list[bytes]:
        """Return the buffers to write, in order, without copying the blobs together."""
        fields = json.dumps(self.fields, separators=(",", ":")).encode()
        lengths = struct.pack(f"!{len(self.blobs)}Q", *map(len, self.blobs))
        header = _HEADER.pack(_MAGIC, self.kind, self.number, len(fields), len(self.blobs))
        return [header, lengths, fields, *self.blobs]


async def read_frame(reader: StreamReader) -> Frame | None:
    """Read the next frame; None where the other side has closed. WireError where the bytes are no frame."""
    try:
        header = await reader.readexactly(_HEADER.size)
    except (IncompleteReadError, ConnectionError):
        return None  # closed between two frames, or so early in one that nothing is lost
    magic, kind, number, fields_length, count = _HEADER.unpack(header)
    if magic != _MAGIC or kind not in _KINDS or fields_length > _MAX_FIELDS or count > _MAX_BLOBS:
        raise WireError(f"expected the header of a frame, got {header!r}")
    try:
        lengths = struct.unpack(f"!{count}Q", await reader.readexactly(8 * count))
        if sum(lengths) > MAX_FRAME_BYTES:
            raise WireError(f"a frame of {sum(lengths)} bytes exceeds {MAX_FRAME_BYTES}")
        fields = json.loads(await reader.readexactly(fields_length))
        blobs = [await reader.readexactly(length) for length in lengths]
    except (IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        raise WireError(f"the fields of a frame are not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise WireError(f"the fields of a frame are a {type(fields).__name__}, expected an object")
    return Frame(Kind(kind), number, fields, blobs)
