"""Base64 text -> bytes, forgiving in form and strict in content."""

import binascii
from typing import Any

import pybase64

from server.ipc.outcome import Failure

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: Any) -> bytes | Failure:
    """Decode standard or URL-safe base64 with or without line breaks, padding, or a `data:` prefix.

    Any other character makes it a Failure. Lenient decoders skip such characters, which turns the rest into a broken
    image.
    """
    if not isinstance(text, str):
        return Failure("base64_invalid", f"The picture is a {type(text).__name__}; expected base64 as a JSON string.")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = text.encode("ascii")
        try:
            return pybase64.b64decode(data, validate=True)
        except binascii.Error:  # not the standard form, which most clients send and which decodes ten times as fast
            for space in (b"\n", b"\r", b" ", b"\t"):
                data = data.replace(space, b"")
            data = data.rstrip(b"=")
            if b"-" in data or b"_" in data:
                data = data.translate(_URL_SAFE)
            return pybase64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        return Failure("base64_invalid", f"The picture is not valid base64 ({error}).")
