"""DecodedImages: the images of a run, decoded once, at the size that training needs.

Decoding a JPEG and shrinking it takes longer than a step of a small network. All pixels lie one image after the other
in one file that is mapped into memory, so they may be more than fit into it, and runs over the same images share it.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.dataset import CheckedImage
from data.headers import LIMITS
from data.progress import ProgressReport
from models.errors import ImageError
from models.images.decoding import decode
from training.errors import TrainingError

Pixels = NDArray[np.uint8]

_GROWING = ".growing"
_ABANDONED_S = 3600.0  # since the last write


class DecodedImages(Sequence[Pixels]):
    """Images as uint8 (H, W, 3) RGB in [0, 255], read only, each of its own size."""

    def __init__(self, pixels: Pixels, shapes: Sequence[tuple[int, int]]) -> None:
        self._pixels, self._shapes = pixels, shapes
        self._starts = np.concatenate([[0], np.cumsum([3 * height * width for height, width in shapes])]).tolist()

    def __len__(self) -> int:
        return len(self._shapes)

    def __getitem__(self, index: Any) -> Any:
        height, width = self._shapes[index]
        start = self._starts[index]
        return self._pixels[start : start + 3 * height * width].reshape(height, width, 3)


def decode_images(
    images: Sequence[CheckedImage],
    prepare: Callable[[Image.Image], Pixels],
    what: str,
    *,
    exif: bool,
    folder: Path,
    report: ProgressReport,
) -> DecodedImages:
    """Decode images, or find them decoded in `folder`.

    `prepare` turns an RGB image into uint8 (H, W, 3); `what` names all that it does, for whoever looks for the result
    of the same. With `exif`, images are turned before that. TrainingError where an image cannot be decoded or the disk
    is full.
    """
    name = _name(images, what, exif)
    file, index = folder / f"{name}.pixels", folder / f"{name}.json"
    try:
        shapes = _shapes(file, index)
        if shapes is None:
            _write(images, partial(_decoded, prepare=prepare, exif=exif), file, index, report)
            shapes = _shapes(file, index)
    except OSError as error:
        raise TrainingError(
            f"The decoded images cannot be kept in {folder}: {error.strerror}. Name another folder with --decoded."
        ) from None
    assert shapes is not None
    return DecodedImages(np.memmap(file, np.uint8, "r"), shapes)


def _shapes(file: Path, index: Path) -> list[tuple[int, int]] | None:
    """Return the heights and widths of the images in a file; None where it is not there, or not whole."""
    try:
        shapes = [(int(height), int(width)) for height, width in json.loads(index.read_bytes())]
        return shapes if file.stat().st_size == sum(3 * height * width for height, width in shapes) else None
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _decoded(image: CheckedImage, prepare: Callable[[Image.Image], Pixels], exif: bool) -> Pixels:
    try:
        return prepare(decode(image.file.read_bytes(), LIMITS, exif=exif))
    except (ImageError, OSError) as error:
        raise TrainingError(
            f"{image.file} cannot be decoded: {error} Run `python -m data check --deep`, or repair the file."
        ) from None


def _name(images: Sequence[CheckedImage], what: str, exif: bool) -> str:
    digest = hashlib.sha256(json.dumps([what, exif]).encode())
    for each in images:
        digest.update(each.sha256.encode())
    return digest.hexdigest()[:24]


def _write(
    images: Sequence[CheckedImage],
    decoded: Callable[[CheckedImage], Pixels],
    file: Path,
    index: Path,
    report: ProgressReport,
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(file.parent)
    shapes = []
    # A name of its own, since another run may decode the same images at this moment
    growing = file.with_suffix(f".{uuid4().hex}{_GROWING}")
    try:
        with growing.open("xb") as stream, ThreadPoolExecutor(os.cpu_count()) as threads:
            with report.bar(len(images), "decoding images") as bar:
                for start, end in pairwise([*range(0, len(images), 64), len(images)]):
                    for pixels in threads.map(decoded, images[start:end]):
                        stream.write(np.ascontiguousarray(pixels).data)
                        shapes.append(pixels.shape[:2])
                        bar.advance()
            stream.flush()
            os.fsync(stream.fileno())
        growing.replace(file)
        growing.write_text(json.dumps(shapes))
        growing.replace(index)
    finally:
        growing.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes have left that were killed as they wrote."""
    for file in folder.glob(f"*{_GROWING}"):
        if time.time() - file.stat().st_mtime > _ABANDONED_S:
            file.unlink(missing_ok=True)
