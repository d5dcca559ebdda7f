"""The lines of a JSONL file as JSON objects, however long the file or one of its lines is."""

import codecs
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from data.errors import DataError
from settings.byte_order_mark import as_utf8
from settings.excerpt import excerpt

_MOST_BYTES = 2**26  # of a line: 100,000 outlines of 30 points
_SHOWN = 60  # characters around an error


class LineError(Exception):
    """A line is no JSON object. The text says where and why."""


def lines(file: Path) -> Iterator[tuple[int, bytes | None]]:
    """Yield (number from 1, bytes) of each line that is not blank; None for a line of more than 64 MiB.

    A byte order mark is left out, and UTF-16 with one becomes UTF-8. DataError where the file cannot be read.
    """
    try:
        with file.open("rb") as stream:
            mark = stream.read(3)
            stream.seek(3 if mark == codecs.BOM_UTF8 else 0)
            utf_16 = mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            yield from _bounded_lines(io.BytesIO(as_utf8(stream.read())) if utf_16 else stream)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file} begins like UTF-16 and is not: {error.reason}. Save it as UTF-8.") from None


def _bounded_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    number = 0
    while line := stream.readline(_MOST_BYTES + 1):
        number += 1
        if len(line) > _MOST_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(_MOST_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif stripped := line.strip():
            yield number, stripped


def json_object(line: bytes | None) -> dict[str, Any]:
    """Return the JSON object that a line is; LineError where it is none, or has a key twice.

    NaN and infinities are read, for they are faults of one number and not of the line.
    """
    if line is None:
        raise LineError(f"The line has more than {_MOST_BYTES} bytes. One line describes one image.")
    try:
        value = msgspec.json.decode(line)
        # More colons than keys and texts account for: perhaps a key stands twice, which only the slow way sees
        if type(value) is dict and line.count(b":") > _keys(value) + str(value.get("image_url")).count(":"):
            value = _slowly(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = _slowly(line)
    if type(value) is not dict:
        raise LineError(f"The line is {excerpt(value)}; expected a JSON object with 'image_url' and a label.")
    return value


def _keys(record: dict[str, Any]) -> int:
    """Count the keys of an object, of the objects in it, and of those in its lists."""
    count = len(record)
    for value in record.values():
        if type(value) is dict:
            count += len(value)
        elif type(value) is list:
            for each in value:
                if type(each) is dict:
                    count += len(each)
    return count


def _slowly(line: bytes) -> Any:
    try:
        text = line.decode()
        value = json.loads(text, object_pairs_hook=_without_doubles)
        # Half a surrogate pair is no Unicode text, though JSON can name it
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        around = text[max(error.pos - _SHOWN // 2, 0) : error.pos + _SHOWN // 2]
        raise LineError(f"The line is not valid JSON at column {error.colno}: {error.msg}, near {around!r}.") from None
    except UnicodeDecodeError as error:
        raise LineError(f"The line is not UTF-8 at byte {error.start + 1}: {error.reason}.") from None
    except (ValueError, RecursionError) as error:
        raise LineError(f"The line cannot be read: {error}.") from None
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise LineError(f"The key {excerpt(double)} stands twice in one object. Leave one of them out.")
    return record
