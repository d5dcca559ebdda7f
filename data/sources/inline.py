"""Images whose bytes stand in their URL, as in https://www.rfc-editor.org/rfc/rfc2397."""

import base64
import binascii
import hashlib
from pathlib import Path
from urllib.parse import unquote_to_bytes

from data.errors import ImageUnavailableError
from data.sources.image_cache import ImageCache

MOST_CHARACTERS = 2**26


def unpack_inline(url: str, cache: ImageCache) -> Path:
    """Return a file with the bytes in a `data:` URL.

    ImageUnavailableError `image_unreadable` where they are damaged or too many; OSError where the cache cannot be
    written.
    """
    if len(url) > MOST_CHARACTERS:
        raise _unreadable(f"has {len(url)} characters; expected at most {MOST_CHARACTERS}. Give it as a file.")
    head, comma, body = url.partition(",")
    if not comma:
        raise _unreadable("has no comma before its bytes. Expected data:image/jpeg;base64,BYTES.")
    try:
        content = unquote_to_bytes(body)
        if head.lower().endswith(";base64"):
            content = base64.b64decode(b"".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(f"is no base64 ({error}). Encode the bytes of the file again.") from None
    tag = hashlib.sha256(content).hexdigest()
    entry = cache.entry(f"data:{tag}")
    return entry.file(tag) if entry.tag() == tag else entry.keep(tag, [content])


def _unreadable(text: str) -> ImageUnavailableError:
    return ImageUnavailableError("image_unreadable", f"The image in the URL {text}")
