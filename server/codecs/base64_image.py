"""Base64 text -> bytes, forgiving in form and strict in content."""

import binascii
import re
from typing import Any

import pybase64

from server.ipc.outcome import Failure
from settings.excerpt import excerpt

_AROUND = " \t\r\n\f\v\ufeff"
# https://www.rfc-editor.org/rfc/rfc2397: a scheme has no case, and a quoted parameter may hold commas
_DATA_URI = re.compile(r"""data:(?:[^,"]|"[^"]*")*,""", re.IGNORECASE)
_LONGEST_URI = 2**12  # up to its comma
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_MOST_BLANKS = 16  # between two lines
_LINE_BREAKS = b"\r\n\t\f\v"


def decode_base64(text: Any) -> bytes | Failure:
    """Decode standard or URL-safe base64 with or without line breaks, padding, or the head of a data URI.

    Blanks between lines of equal length are skipped; others are "+" that were decoded as in a URL, and read as such.
    Any other character makes it a Failure. Lenient decoders skip such characters, which turns the rest into a broken
    image.
    """
    if isinstance(text, dict):
        return _invalid(f"The picture is an object with the keys {excerpt([*text])}; expected base64 as a JSON string.")
    if not isinstance(text, str):
        return _invalid(f"The picture is a {type(text).__name__}; expected base64 as a JSON string.")
    text = text.strip(_AROUND)
    if found := _DATA_URI.match(text, 0, _LONGEST_URI):
        text = text[found.end() :].lstrip(_AROUND)
    try:
        data = text.encode("ascii")
        try:
            return pybase64.b64decode(data, validate=True)
        except binascii.Error:  # not the standard form, which most clients send and which decodes ten times as fast
            return _decoded(data)
    except (UnicodeEncodeError, binascii.Error) as error:
        return _invalid(f"The picture is not valid base64 ({_reason(error)}).")


def _decoded(data: bytes) -> bytes | Failure:
    data = data.translate(_URL_SAFE, _LINE_BREAKS)
    text = data.rstrip(b"=")
    padding = len(data) - len(text)
    if b" " in text:
        without = text.replace(b" ", b"")
        is_whole = (len(text) + padding) % 4 == 0
        if _in_lines(text) and ((len(without) + padding) % 4 == 0 or not is_whole):
            text = without
        elif is_whole or not padding:
            text = text.replace(b" ", b"+")
        else:
            return _invalid(
                f"The picture has {text.count(b' ')} blanks within its base64, and is not whole with or without them. "
                'Perhaps a "+" became a blank where the text was decoded as a URL: escape it as %2B there.'
            )
    return pybase64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def _in_lines(text: bytes) -> bool:
    """Tell whether blanks break a text into lines of the same length, the last one perhaps shorter."""
    length = text.index(b" ")
    blanks = len(text) - length - len(text[length:].lstrip(b" "))
    if length % 4 or blanks > _MOST_BLANKS:
        return False
    columns = [text[length + at :: length + blanks] for at in range(blanks)]
    return not b"".join(columns).strip(b" ") and text.count(b" ") == sum(map(len, columns))


def _reason(error: ValueError) -> str:
    # the text of the other one holds all that was to be encoded
    return "it holds letters beyond ASCII" if isinstance(error, UnicodeEncodeError) else str(error)


def _invalid(message: str) -> Failure:
    return Failure("base64_invalid", message)
