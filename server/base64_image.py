"""Base64 text -> bytes, forgiving in form and strict in content."""

import binascii
from typing import Any

from server.engine.outcome import Failure

_WHITE_SPACE = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: Any) -> bytes | Failure:
    """Decode standard or URL-safe base64 with or without line breaks, padding, or a `data:` prefix.

    Anything else in the text is a Failure: skipping it, as lenient decoders do, would turn it into a broken picture.
    """
    if not isinstance(text, str):
        return Failure("base64_invalid", f"The picture is a {type(text).__name__}; expected base64 as a JSON string.")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = text.encode("ascii").translate(_URL_SAFE, _WHITE_SPACE).rstrip(b"=")
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        return Failure("base64_invalid", f"The picture is not valid base64 ({error}).")
