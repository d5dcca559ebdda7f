"""Byte order marks, which Windows' editors and shells write at the start of text files."""

import codecs

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_utf8(data: bytes) -> bytes:
    """Return a text as UTF-8 without a mark. The mark of UTF-16 tells that the text is in it; ValueError if it is not.

    Other bytes are returned as they are.
    """
    if data.startswith(_UTF_16):
        return data.decode("utf-16").encode()
    return data.removeprefix(codecs.BOM_UTF8)
