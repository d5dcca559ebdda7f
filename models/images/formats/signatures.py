"""The format of an encoded image, by the signature that its first bytes are."""

import re

_SIGNATURES = (
    ("JPEG", re.compile(rb"\xff\xd8")),
    ("PNG", re.compile(rb"\x89PNG")),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("WEBP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("TIFF", re.compile(rb"(?:II|MM)(?:[*+]\0|\0[*+])")),
    # two letters begin many texts: the reserved bytes and the size of the second header follow, or the file ends before
    ("BMP", re.compile(rb"BM(?:.{0,11}\Z|.{12}[\x0c-\xff]\0\0\0|.{12}.{0,3}\Z)", re.DOTALL)),
)
_LONGEST = 18


def format_of(data: bytes | memoryview) -> str | None:
    """Return JPEG, PNG, GIF, WEBP, TIFF or BMP by the first bytes of a file; None where they are of no such format.

    A file that is damaged or cut off behind its signature still has its format.
    """
    start = bytes(data[:_LONGEST])
    return next((name for name, signature in _SIGNATURES if signature.match(start)), None)
