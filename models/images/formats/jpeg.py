"""JPEG files without their metadata, as in https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B."""

from models.errors import ImageError
from models.images.formats.orientation import Metadata

_SCAN, _COMMENT, _FILL = 0xDA, 0xFE, 0xFF
_APPLICATION = range(0xE0, 0xF0)
# the two whose content says how colours are stored
_COLOUR = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
_EXIF, _XMP = b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0"

MOST_PARTS = 100_000  # of metadata, in a JPEG or a PNG
_MOST_BLOCKS = 8  # of EXIF or XMP that are looked at


def jpeg_without_metadata(data: bytes) -> tuple[bytes, Metadata]:
    """Return a JPEG file without its metadata, and those that may tell the orientation.

    Colour profiles, previews, comments and further images are left out. From the first surprise on, the file stays as
    it is: what is damaged is for the decoder to say. ImageError `image_too_complex` where there are more than
    `MOST_PARTS` parts.
    """
    view = memoryview(data)
    kept, start, at, parts = [], 0, 2, 0
    exif: list[memoryview] = []
    xmp: list[memoryview] = []
    seen: set[int] = set()
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            break
        marker = data[at + 1]
        if marker in (0, _FILL):  # padding, or no marker at all
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker < 0xC0 or 0xD0 <= marker <= _SCAN or end < at + 4 or end > len(data):
            break
        parts += 1
        if parts > MOST_PARTS:
            raise ImageError(
                "image_too_complex",
                f"The JPEG picture has more than {MOST_PARTS} segments before its pixels. Save it without metadata.",
            )
        content = view[at + 4 : end]
        colour = marker in _COLOUR and marker not in seen and data.startswith(_COLOUR[marker], at + 4)
        if marker == _COMMENT or (marker in _APPLICATION and not colour):
            kept.append(view[start:at])
            start = end
            if marker == 0xE1:
                if data.startswith(_EXIF, at + 4):
                    exif.append(content)
                elif data.startswith(_XMP, at + 4):
                    xmp.append(content)
        elif marker in _APPLICATION:
            seen.add(marker)
        at = end
    metadata = Metadata(exif[:_MOST_BLOCKS], xmp[:_MOST_BLOCKS])
    return (b"".join([*kept, view[start:]]) if kept else data), metadata
