"""DecodedImages: the images of a run, decoded once, at the size that training needs.

Decoding a JPEG and shrinking it takes longer than a step of a small network. All pixels lie one image after the other
in one file that is mapped into memory, so they may be more than fit into it, and runs over the same images share it.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.dataset import CheckedImage
from data.progress import ProgressReport
from models.errors import ImageError
from models.images.decoding import ImageLimits, decode
from training.errors import TrainingError

Pixels = NDArray[np.uint8]

_LIMITS = ImageLimits(max_bytes=2**30, max_pixels=2**28)


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
    if not (index.is_file() and file.is_file()):
        try:
            _write(images, partial(_decoded, prepare=prepare, exif=exif), file, index, report)
        except OSError as error:
            raise TrainingError(
                f"The decoded images cannot be kept in {folder}: {error.strerror}. Name another folder with --cache."
            ) from None
    shapes = [(height, width) for height, width in json.loads(index.read_bytes())]
    return DecodedImages(np.memmap(file, np.uint8, "r"), shapes)


def _decoded(image: CheckedImage, prepare: Callable[[Image.Image], Pixels], exif: bool) -> Pixels:
    try:
        return prepare(decode(image.file.read_bytes(), _LIMITS, exif=exif))
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
    shapes = []
    # A name of its own, since another run may decode the same images at this moment
    growing = file.with_suffix(f".{os.getpid()}")
    try:
        with growing.open("wb") as stream, ThreadPoolExecutor(os.cpu_count()) as threads:
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
