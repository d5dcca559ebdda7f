"""JSON text -> values, bounded so that no text takes much more time or memory than its bytes do."""

import codecs
import json
from collections.abc import Iterable
from typing import Any

import msgspec

from server.errors import ServiceError

# a request has a few values for each of its images; a parser takes up to 250 bytes and a microsecond for each, and
# holds the interpreter meanwhile
MOST_VALUES = 2**18
_DEEPEST = 64


def parse_json(text: bytes | str) -> Any:
    """Parse JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    ServiceError `too_many_values` above MOST_VALUES. ValueError where it is no JSON, or nested deeper than 64 levels.
    """
    text = without_mark(text)
    if not has_few_values(text):
        raise too_many_values()
    try:
        value = _decoded(text)
    except RecursionError:
        raise _too_deep() from None
    if _openings(text) > _DEEPEST and _is_deep(value):
        raise _too_deep()
    return value


def without_mark(text: bytes | str) -> Any:
    """Return a text without a byte order mark; bytes in other encodings than UTF-8 keep theirs, which tells them."""
    return text.removeprefix(codecs.BOM_UTF8) if isinstance(text, bytes) else text.removeprefix("\ufeff")


def has_few_values(text: bytes | str) -> bool:
    """Tell whether a text surely has at most MOST_VALUES values: whether it has so few commas and brackets."""
    if len(text) <= MOST_VALUES:
        return True
    commas = text.count(b",") if isinstance(text, bytes) else text.count(",")
    return commas + _openings(text) < MOST_VALUES


def too_many_values() -> ServiceError:
    """Return the error of a text with more than MOST_VALUES values."""
    return ServiceError(
        "too_many_values",
        f"The body has more than {MOST_VALUES} JSON values or cells of a table, or as many commas and brackets in its "
        "texts. Send fewer images in one request, and pixels as an encoded image, or as a UINT8 tensor.",
    )


def _openings(text: bytes | str) -> int:
    if isinstance(text, bytes):
        return text.count(b"[") + text.count(b"{")
    return text.count("[") + text.count("{")


def _decoded(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except ValueError:
        # the standard library accepts more, such as NaN and other encodings, and describes errors better
        return json.loads(text)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inner(each)]
    return bool(level)


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> ValueError:
    return ValueError(f"it is nested deeper than {_DEEPEST} levels")
