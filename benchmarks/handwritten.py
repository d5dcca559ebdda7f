"""Our own code beside the libraries that could take its place: python -m benchmarks.handwritten.

Multipart forms, Pillow's resizing, OpenCV's resizing and PNG files: how many times as long a library takes, and how far
its results agree with ours. Both run in turns, so that a machine whose speed drifts favours neither. Times are seconds
of a processor, on one thread. docs/measurements/handwritten.md has results, docs/decisions what followed from them.
"""

import argparse
import asyncio
import importlib
import io
import statistics
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from torchvision.transforms.v2 import functional

from benchmarks.harness.machine import describe_machine
from benchmarks.serving import spread
from examples.fridge.scene import draw_scene
from explain.rendering.attribution_image import AttributionImage, Style
from explain.rendering.drawing import visualization
from explain.rendering.png import encode_rgb
from models.images.antialias import FILTERS, resized
from models.images.area_resize import resize
from server.codecs.multipart import form_files
from server.errors import ServiceError

_TURN_S = 0.03  # the least time to measure at once
_TYPE = "multipart/form-data; boundary=cut"
_HEAD = b'--cut\r\nContent-Disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n'

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One task for our code and for a library; `compared` describes how far their two results agree."""

    task: str
    library: str
    ours: Callable[[], Any]
    other: Callable[[], Any]
    compared: Callable[[Any, Any], str]

    def row(self, rounds: int) -> str:
        """Measure in turns; return the median of ours in milliseconds, and the ratios with their range."""
        agreement = self.compared(self.ours(), self.other())
        repeats = max(1, round(_TURN_S / max(1e-6, _seconds(self.ours, 1))))
        turns = [(_seconds(self.ours, repeats), _seconds(self.other, repeats)) for _ in range(rounds)]
        middle = 1000 * statistics.median(ours for ours, _ in turns)
        ratios = spread([other / ours for ours, other in turns], 2)
        return f"{self.task:<36} {middle:8.3f} ms   {self.library:<22} {ratios:<20} {agreement}"


def _seconds(function: Callable[[], Any], repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - started) / repeats


def forms() -> Iterator[Comparison | str]:
    """Forms with files of random bytes: ours, python-multipart by way of Starlette, and multipart."""
    readers: dict[str, Callable[[bytes], list[bytes]]] = {}
    if find_spec("python_multipart"):
        loop = asyncio.new_event_loop()
        readers["python-multipart"] = lambda body: loop.run_until_complete(_by_starlette(body))
    if find_spec("multipart") and hasattr(importlib.import_module("multipart"), "PushMultipartParser"):
        readers["multipart"] = _by_multipart
    yield from (f"{name} is not installed" for name in ("python-multipart", "multipart") if name not in readers)
    random = np.random.default_rng(0)
    for count, size in ((1, 100_000), (8, 100_000), (1, 10_000_000), (64, 1000)):
        body = b"".join(_HEAD + random.bytes(size) + b"\r\n" for _ in range(count)) + b"--cut--\r\n"
        ours = partial(form_files, content_type=_TYPE)
        for name, read in readers.items():
            of_half = f"of its first half: {_outcome(read, body)}, ours {_outcome(ours, body)}"
            task = f"form of {count} x {size // 1000} kB"
            yield Comparison(task, name, partial(ours, body), partial(read, body), partial(_same_files, of_half))


def _same_files(of_half: str, ours: list[bytes], other: list[bytes]) -> str:
    return f"{'the same' if ours == other else 'other'} files; {of_half}"


def _outcome(read: Callable[[bytes], list[bytes]], body: bytes) -> str:
    try:
        return f"{len(read(body[: len(body) // 2]))} files"
    except (MultiPartException, ServiceError, ValueError):
        return "refused"


async def _by_starlette(body: bytes) -> list[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    form = await MultiPartParser(Headers({"content-type": _TYPE}), stream()).parse()  # type: ignore[arg-type]
    return [await file.read() for _, file in form.multi_items() if not isinstance(file, str)]


def _by_multipart(body: bytes) -> list[bytes]:
    multipart: Any = importlib.import_module("multipart")
    files: list[list[bytes]] = []
    with multipart.PushMultipartParser("cut") as parser:
        for event in parser.parse(body):
            if isinstance(event, multipart.MultipartSegment):
                files.append([])
            elif event is not None:
                files[-1].append(event)
    return [b"".join(parts) for parts in files]


def pillow() -> Iterator[Comparison]:
    """The shorter side to 256 pixels and the middle 224 x 224 of that, as classifiers need it."""
    for width, height, name in ((640, 480, "bilinear"), (640, 480, "bicubic"), (4000, 3000, "bilinear")):
        image = Image.fromarray(_photo(width, height))
        way, scale = Image.Resampling[name.upper()], min(width, height) / 256
        size = int(width / scale), int(height / scale)
        left, top = (round((side - 224) / 2) for side in size)
        box = (left, top, left + 224, top + 224)
        across, down = width / size[0], height / size[1]
        part = (left * across, top * down, (left + 224) * across, (top + 224) * down)
        ways: dict[str, Callable[[], Any]] = {
            "Pillow": partial(_by_pillow, image, size, way, box),
            "Pillow, the crop alone": partial(image.resize, (224, 224), way, box=part),
            "torchvision v2": partial(_by_torchvision, image, size, name, box),
            "torchvision v2, tensors": partial(_by_torchvision, _tensor(image), size, name, box),
        }
        ours = partial(resized, image, size, box, FILTERS[name])
        for library, other in ways.items():
            yield Comparison(f"{width} x {height}, {name}, to 224", library, ours, other, _difference)


def _by_pillow(image: Image.Image, size: tuple[int, int], way: Image.Resampling, box: tuple[int, ...]) -> Pixels:
    left, top, right, bottom = box
    return np.asarray(image.resize(size, way).crop((left, top, right, bottom)))


def _by_torchvision(
    image: Image.Image | torch.Tensor, size: tuple[int, int], name: str, box: tuple[int, ...]
) -> Pixels:
    left, top, right, bottom = box
    tensor = image if isinstance(image, torch.Tensor) else _tensor(image)
    way = functional.InterpolationMode(name)
    found = functional.resize(tensor, [size[1], size[0]], way, antialias=True)[:, top:bottom, left:right]
    pixels: Pixels = found.permute(1, 2, 0).numpy()
    return pixels


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def opencv() -> Iterator[Comparison]:
    """To 640 x 480, as detectors need it."""
    for width, height in ((320, 240), (800, 600), (1280, 960), (1440, 1080), (4000, 3000)):
        pixels = _photo(width, height)
        way = cv2.INTER_LINEAR if width < 640 else cv2.INTER_AREA
        other = partial(cv2.resize, pixels, (640, 480), interpolation=way)
        yield Comparison(
            f"{width} x {height} to 640 x 480", "OpenCV", partial(resize, pixels, 480, 640), other, _difference
        )


def png() -> Iterator[Comparison]:
    """What an explanation shows, drawn from a smooth map."""
    y, x = np.mgrid[-1:1:224j, -1:1:224j]
    values = np.exp(-4 * ((x - 0.2) ** 2 + (y + 0.1) ** 2)).astype(np.float32)
    subject = AttributionImage(_photo(224, 224), values, "label", 0.99, "xrai")
    for style in (Style("grid"), Style("overlay"), Style("overlay", captions=False)):
        image = visualization(style.visualization).draw(subject, style)
        pixels = np.asarray(image)
        task = f"PNG of {image.width} x {image.height}, {style.visualization}"
        ways = {f"Pillow, level {level}": {"compress_level": level} for level in (1, 3, 6)}
        ways["Pillow, level 1, RLE"] = {"compress_level": 1, "compress_type": zlib.Z_RLE}
        for library, options in ways.items():
            yield Comparison(task, library, partial(encode_rgb, pixels), partial(_saved, image, options), _same_image)


def _saved(image: Image.Image, options: dict[str, int]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def _same_image(ours: bytes, other: bytes) -> str:
    one, two = (np.asarray(Image.open(io.BytesIO(file))) for file in (ours, other))
    return f"pixels equal: {np.array_equal(one, two)}; {len(other) / len(ours):.2f} of our {len(ours) / 1000:.0f} kB"


def _difference(ours: Pixels, other: Any) -> str:
    found = np.abs(ours.astype(int) - np.asarray(other))
    return f"largest difference {found.max()}, of {np.count_nonzero(found) / found.size:.2%}"


def _photo(width: int, height: int) -> Pixels:
    return draw_scene(7, size=(width, height), count=1).image


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="turns of ours and of the library")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(describe_machine())
    print("task, ours, library, its time in times of ours (range), results")
    for part in (forms, pillow, opencv, png):
        for item in part():
            print(item if isinstance(item, str) else item.row(rounds), flush=True)


if __name__ == "__main__":
    main()
