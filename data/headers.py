"""ImageFacts: what is known of an image file without training on it: its size, orientation and hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import ImageUnavailableError
from data.format import Size, SizeFinder
from data.sources.image_store import ImageStore
from models.errors import ImageError
from models.images.decoding import ImageHeader, ImageLimits, decode, read_header
from models.images.formats.tiff import read_layout
from models.images.formats.tiff_directory import marked_order, read_directory

LIMITS = ImageLimits(max_bytes=2**30, max_pixels=2**28)
"""The largest image of a data set that is read."""
_HEAD = 2**17  # bytes that are enough for the header of most files
_TAIL = 2**16  # bytes after the end of an image that some cameras and programs write


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """`size` is (width, height) in pixels as stored, `orientation` what EXIF says about turning it, from 1 to 8.

    `sha256` is the hash of the bytes; `pixels` that of what they decode to, where that was looked at.
    """

    size: tuple[int, int]
    orientation: int
    sha256: str
    pixels: str | None = None

    @property
    def turned_size(self) -> tuple[int, int]:
        """The (width, height) that somebody sees whose program turns the image."""
        width, height = self.size
        return (height, width) if self.orientation >= 5 else (width, height)


def image_facts(file: Path, *, deep: bool = False) -> ImageFacts:
    """Read a file's bytes and the header in them; with `deep`, decode the pixels too.

    A file without the end that its format has is decoded in any case. ImageUnavailableError `image_unreadable` where
    that fails.
    """
    try:
        if file.stat().st_size > LIMITS.max_bytes:
            raise ImageUnavailableError("image_unreadable", f"The file has more than {LIMITS.max_bytes} bytes.")
        data = file.read_bytes()
        header = read_header(data, LIMITS)
        pixels = None
        if deep or not _ends(header.format, data):
            decoded = np.asarray(decode(data, LIMITS))
            pixels = _hash(decoded) if deep else None
    except OSError as error:
        raise ImageUnavailableError("image_unreadable", f"The file cannot be read: {error.strerror}.") from None
    except ImageError as error:
        # what follows is advice to somebody who sends an image
        sentence = str(error).rpartition(". ")[0] or str(error)
        raise ImageUnavailableError("image_unreadable", f"{sentence.rstrip('.')}.") from None
    return ImageFacts(header.size, header.orientation, hashlib.sha256(data).hexdigest(), pixels)


def _hash(pixels: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def image_header(file: Path) -> ImageHeader:
    """Return what the header of an image tells, without reading all of the file.

    ImageUnavailableError `image_unreadable` where it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_HEAD)
            try:
                return read_header(data, LIMITS)
            except ImageError:
                # a TIFF may have its header at its end, and a JPEG behind large metadata
                data += stream.read(LIMITS.max_bytes)
        return read_header(data, LIMITS)
    except OSError as error:
        raise ImageUnavailableError("image_unreadable", f"{file} cannot be read: {error.strerror}.") from None
    except ImageError:
        raise ImageUnavailableError("image_unreadable", f"{file} is no image, or a damaged one.") from None


def _ends(form: str, data: bytes) -> bool:
    """Return whether a file has its end; False may also be said of one that is whole."""
    match form:
        case "JPEG":  # previews in metadata have ends too, but before the last scan
            end = data.rfind(b"\xff\xd9")
            return end >= 0 and data.find(b"\xff\xda", end) < 0
        case "PNG":
            return b"IEND" in data[-_TAIL:]
        case "GIF":
            return b";" in data[-2:]
        case "WEBP":
            return len(data) >= 8 + int.from_bytes(data[4:8], "little")
        case "BMP":
            return len(data) >= int.from_bytes(data[2:6], "little") > 0
        case _:
            layout = read_layout(read_directory(data, marked_order(data)))
            ends = layout.offsets.astype(np.uint64) + layout.lengths.astype(np.uint64)
            return len(ends) > 0 and int(ends.max()) <= len(data)


def size_finder(store: ImageStore) -> SizeFinder:
    """Return what finds the (width, height) of the image at a URL, as stored; None where it cannot be had."""

    def size_of(url: str) -> Size | None:
        try:
            return image_header(store.file(url)).size
        except ImageUnavailableError:
            return None

    return size_of
