"""PNG files without their metadata, as in https://www.w3.org/TR/png-3/."""

import zlib

from models.errors import ImageError
from models.images.formats.jpeg import MOST_PARTS
from models.images.formats.orientation import Metadata

_HEADER = 8
_ANCILLARY = 0x20  # the bit of a chunk's name that says that an image can be decoded without it
_MOST_TEXT = 2**20  # bytes of a compressed text that are looked at
_XMP, _PROFILE = b"XML:com.adobe.xmp", b"Raw profile type exif"


def png_without_metadata(data: bytes) -> tuple[bytes, Metadata]:
    """Return a PNG file with the chunks that its pixels need alone, and the metadata that may tell the orientation.

    Texts, colour profiles, times, transparency and frames of an animation are left out. What is compressed is not
    inflated, but for at most 1 MiB of two texts that may tell the orientation. From the first surprise on, the file
    stays as it is: what is damaged is for the decoder to say. SyntaxError where a chunk before the pixels is not what
    was written, by its checksum; ImageError `image_too_complex` where there are more than `MOST_PARTS` to leave out.
    """
    view = memoryview(data)
    kept, start, at, parts = [], 0, _HEADER, 0
    pixels = False
    found: dict[bytes, bytes] = {}
    while at + 12 <= len(data):
        name, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if not name.isalpha():
            break
        if name == b"IEND":
            break
        if not name[0] & _ANCILLARY:
            pixels = pixels or name == b"IDAT"
        else:
            if end > len(data):
                if pixels:  # what is missing is no pixel
                    kept.append(view[start:at])
                    start = len(data)
                break
            parts += 1
            if parts > MOST_PARTS:
                raise ImageError(
                    "image_too_complex",
                    f"The PNG picture has more than {MOST_PARTS} chunks of metadata. Save it without them.",
                )
            if not pixels and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise SyntaxError(f"the checksum of its {name.decode()} chunk is wrong")
            kept.append(view[start:at])
            start = end
            _collect(name, view[at + 8 : end - 4], found)
        at = end
    exif = [found[name] for name in (b"eXIf", _PROFILE) if name in found]
    xmp = [found[_XMP]] if _XMP in found else []
    return (b"".join([*kept, view[start:]]) if kept else data), Metadata(exif, xmp)


def _collect(name: bytes, content: memoryview, found: dict[bytes, bytes]) -> None:
    """Add what may tell the orientation to `found`, of each kind the first."""
    if name == b"eXIf":
        found.setdefault(name, bytes(content))
    elif name == b"iTXt" and _XMP not in found and content[: len(_XMP) + 1] == _XMP + b"\0":
        compressed = bytes(content[len(_XMP) + 1 : len(_XMP) + 2]) == b"\1"
        # the language and the translated name, each up to a zero, stay in front of a text that is searched anyway
        rest = bytes(content[len(_XMP) + 3 :])
        found[_XMP] = _inflated(rest.split(b"\0", 2)[-1]) if compressed else rest
    elif name in (b"tEXt", b"zTXt") and _PROFILE not in found and content[: len(_PROFILE) + 1] == _PROFILE + b"\0":
        text = bytes(content[len(_PROFILE) + 1 :])
        found[_PROFILE] = _from_hexadecimal(_inflated(text[1:]) if name == b"zTXt" else text)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST_TEXT)
    except zlib.error:
        return b""


def _from_hexadecimal(text: bytes) -> bytes:
    """Return the EXIF that ImageMagick writes as text: an empty line, `exif`, the length, and lines of digits."""
    digits = b"".join(text[: 2 * _MOST_TEXT].split(b"\n")[3:])
    try:
        return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
    except ValueError:
        return b""
