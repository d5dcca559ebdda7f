"""JSON files that are one document, such as COCO's: looked into, and read as a whole."""

import json
import mmap
from pathlib import Path
from typing import Any

import msgspec

from data.errors import DataError
from settings.byte_order_mark import as_utf8
from settings.excerpt import shortened

_OTHERS = {".jsonl", ".ndjson", ".csv", ".tsv"}


def holds_document(path: Path, first: bytes, words: tuple[bytes, ...]) -> bool:
    """Return whether a file begins with a byte, after blanks, and has all `words` somewhere."""
    if path.suffix.lower() in _OTHERS or not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content[:100].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == first and all(
            content.find(word) >= 0 for word in words
        )


def read_document(path: Path) -> Any:
    """Return what a JSON file holds, NaN included; DataError where it is no JSON."""
    try:
        data = as_utf8(path.read_bytes())
        try:
            return msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = json.loads(data)
            # Half a surrogate pair is no Unicode text, though JSON can name it
            json.dumps(value, ensure_ascii=False).encode()
            return value
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {shortened(str(error), 200)}. Write it again.") from None
