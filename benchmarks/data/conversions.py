"""python -m benchmarks.data conversions: 100,000 annotations from JSONL into every format of boxes or masks, and back.

Prints seconds of whole commands without the start of Python, and their ratio to `json.loads` of the JSONL's lines.
"""

import argparse
import contextlib
import io
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from data.__main__ import main as data

_SIZES = ((640, 480), (480, 640), (1024, 768), (333, 501))
_OBJECTS = 5  # an image
_FORMATS = {
    "detection": ("coco", "voc", "yolo", "labelstudio", "csv", "mltable"),
    "segmentation": ("coco", "yolo", "labelstudio", "mltable"),  # masks of VOC are pictures of all pixels
}
_SUFFIXES = {"coco": ".json", "labelstudio": ".json", "csv": ".csv"}


def write_jsonl(folder: Path, annotations: int, task: str) -> Path:
    """Write JSONL with images that are no more than their headers need."""
    choices = random.Random(0)
    encoded = []
    for size in _SIZES:
        buffer = io.BytesIO()
        Image.new("1", size).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    (folder / "images").mkdir()
    file = folder / "train.jsonl"
    with file.open("w") as stream:
        for number in range(annotations // _OBJECTS):
            name = f"images/{number:06}.png"
            (folder / name).write_bytes(encoded[number % len(encoded)])
            objects = [_object(choices, task) for _ in range(_OBJECTS)]
            stream.write(json.dumps({"image_url": name, "label": objects}) + "\n")
    return file


def _object(choices: random.Random, task: str) -> dict[str, Any]:
    x, y, width, height = (choices.uniform(0.05, 0.45) for _ in range(4))
    label = f"label {choices.randrange(20)}"
    if task == "detection":
        return {"label": label, "topX": x, "topY": y, "bottomX": x + width, "bottomY": y + height, "isCrowd": 0}
    points = [(x + width * choices.random(), y + height * choices.random()) for _ in range(12)]
    return {"label": label, "isCrowd": 0, "polygon": [[value for point in points for value in point]]}


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def convert(source: Path, target: Path, form: str) -> float:
    """Return the seconds of a conversion, which has to leave nothing out."""

    def run() -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            code = data(["convert", str(source), str(target), "--to", form])
        if code:
            raise SystemExit(f"{source} -> {form}: exit code {code}")

    return seconds(run)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", type=int, default=100_000)
    annotations = parser.parse_args().annotations
    for task, formats in _FORMATS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            source = write_jsonl(folder, annotations, task)
            lines = source.read_bytes().splitlines()
            plain = seconds(lambda lines=lines: [json.loads(line) for line in lines])  # type: ignore[misc]
            print(f"{task}: {annotations} annotations in {len(lines)} images; json.loads takes {plain:.2f} s")
            print(f"{'':12}{'from JSONL':>12}{'ratio':>8}{'to JSONL':>12}{'ratio':>8}")
            for form in formats:
                middle = folder / f"there-{form}{_SUFFIXES.get(form, '')}"
                there = convert(source, middle, form)
                back = convert(middle, folder / f"back-{form}.jsonl", "jsonl")
                print(f"{form:12}{there:10.2f} s{there / plain:8.1f}{back:10.2f} s{back / plain:8.1f}")


if __name__ == "__main__":
    main()
