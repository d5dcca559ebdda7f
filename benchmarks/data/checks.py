"""python -m benchmarks.data.checks: how many images a second `data check` looks at, beside Pillow in a plain loop.

The loop hashes each file and opens it with Pillow, which reads the header alone; with `--deep` it decodes too. Both run
in turn in one process, on photographs that are drawn.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median

from PIL import Image

from data.check import FaultPolicy, check
from data.reading import read_dataset
from data.sources.image_store import ImageStore
from models.images.calibration import calibration_images

_DRAWN = 8


def write_photographs(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Write JPEG files of `size` (width, height), all different, and JSONL with three boxes each; return the JSONL."""
    encoded = []
    for image in calibration_images(_DRAWN):
        stream = BytesIO()
        image.resize(size).save(stream, "JPEG", quality=90)
        encoded.append(stream.getvalue())
    (folder / "images").mkdir()
    boxes = [
        {"label": label, "topX": 0.1 * place, "topY": 0.2, "bottomX": 0.1 * place + 0.3, "bottomY": 0.7, "isCrowd": 0}
        for place, label in enumerate(["can", "carton", "jar"], 1)
    ]
    file = folder / "train.jsonl"
    with file.open("w") as lines:
        for number in range(count):
            name = f"images/{number:06}.jpg"
            # bytes behind its end make an image another one
            (folder / name).write_bytes(encoded[number % _DRAWN] + number.to_bytes(4, "big"))
            lines.write(json.dumps({"image_url": name, "label": boxes}) + "\n")
    return file


def with_pillow(files: Sequence[Path], deep: bool) -> None:
    """Hash and open each file, one after the other."""
    for file in files:
        data = file.read_bytes()
        hashlib.sha256(data)
        with Image.open(BytesIO(data)) as image:
            if deep:
                image.convert("RGB").load()


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size = options.width, options.width * 3 // 4
    with tempfile.TemporaryDirectory() as place:
        file = write_photographs(Path(place), options.images, size)
        files = sorted((Path(place) / "images").iterdir())
        print(f"{options.images} JPEG of {size[0]}x{size[1]}, {files[0].stat().st_size // 1000} kB each; images/s")
        for name, deep in (("headers", False), ("--deep", True)):
            turns = [
                (_seconds(partial(_checked, file, deep)), _seconds(partial(with_pillow, files, deep)))
                for _ in range(options.rounds)
            ]
            ours, pillow = (options.images / median(times) for times in zip(*turns, strict=True))
            print(f"{name:8} data check {ours:6.0f}   Pillow in a loop {pillow:6.0f}   {ours / pillow:.2f}x")


def _checked(file: Path, deep: bool) -> None:
    dataset = read_dataset(file)
    checked = check(dataset, ImageStore(dataset.folder), FaultPolicy(deep=deep))
    assert {fault.fault for fault in checked.faults if fault.line} <= {"image_twice"}, (
        "drawn images have the same pixels"
    )


if __name__ == "__main__":
    main()
