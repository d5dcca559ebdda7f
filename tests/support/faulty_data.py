"""Data sets with known faults: JSONL of a thousand tiny images, where one line in twenty has a fault."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

from models.folder.manifest import TaskName
from tests.support.images import encoded

LINES = 1000
SIZE = (20, 16)
LABELS = ("can", "carton", "jar", "tube")
Record = dict[str, Any]


@dataclass
class FaultyData:
    """A file of labelled images, and its (line, fault) pairs. `kinds` are the faults that it has."""

    file: Path
    faults: set[tuple[int, str]] = field(default_factory=set)

    @property
    def kinds(self) -> set[str]:
        return {fault for _, fault in self.faults}


def write_images(folder: Path, count: int = LINES) -> None:
    """Write `count` different PNG images into `folder`/images."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(1, count + 1):
        pixels = np.repeat(np.repeat(random.integers(0, 256, (4, 5, 3), np.uint8), 4, 0), 4, 1)
        (folder / f"images/{number}.png").write_bytes(encoded(pixels, "PNG", compress_level=0))


def clean_record(number: int, task: TaskName) -> Record:
    """Return the record of a line without faults."""
    label = LABELS[number % len(LABELS)]
    record: Record = {"image_url": f"images/{number}.png", "image_details": {"width": SIZE[0], "height": SIZE[1]}}
    shift = (number % 10) / 50
    if task == "multiclass":
        return record | {"label": label}
    if task == "multilabel":
        return record | {"label": [label, LABELS[number // 4 % len(LABELS)]][: 1 + number % 2]}
    if task == "detection":
        boxes = [(0.1 + shift, 0.2, 0.4 + shift, 0.6), (0.5, 0.3 + shift, 0.9, 0.7 + shift)]
        return record | {"label": [_box(label, *box) for box in boxes[: number % 3]]}
    outlines = [(0.1 + shift, 0.2, 0.5, 0.2, 0.5, 0.6 + shift), (0.5, 0.3, 0.9, 0.3, 0.9, 0.7, 0.5, 0.7)]
    return record | {"label": [_outline(label, *outline) for outline in outlines[: number % 3]]}


def _box(label: str, left: Any, top: Any, right: Any, bottom: Any) -> Record:
    return {"label": label, "topX": left, "topY": top, "bottomX": right, "bottomY": bottom, "isCrowd": 0}


def _outline(label: str, *numbers: Any) -> Record:
    return {"label": label, "isCrowd": 0, "polygon": [list(numbers)]}


Change = Callable[[Record, Path], str | Record]
"""Takes the record of a line and its image; returns the text of a faulty line, or its record."""


def _with_labels(record: Record, label: Any) -> Record:
    """Return a record in which a label stands as the only one of its image."""
    given = record["label"]
    if isinstance(given, str):
        return record | {"label": label}
    if all(isinstance(each, str) for each in given) and given:
        return record | {"label": [label]}
    outlined = any("polygon" in each for each in given)
    return record | {
        "label": [(_outline(label, 0.1, 0.1, 0.9, 0.1, 0.5, 0.9) if outlined else _box(label, 0.1, 0.1, 0.9, 0.9))]
    }


def _missing(record: Record, image: Path) -> Record:
    return record | {"image_url": "images/none" + image.name}


def _own_image(content: Callable[[Path], bytes]) -> Change:
    def change(record: Record, image: Path) -> Record:
        data = content(image)
        own = image.with_name(f"{crc32(data)}-{image.name}")
        own.write_bytes(data)
        return record | {"image_url": f"images/{own.name}"}

    return change


def _turned(image: Path) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encoded(Image.open(image), "PNG", exif=exif)


def _objects(*added: Record) -> Change:
    """Return what gives a line a good object, and others."""
    good = added[0] if "polygon" in added[0] else _box("can", 0.1, 0.1, 0.3, 0.3)
    good = _outline("can", 0.1, 0.1, 0.3, 0.1, 0.3, 0.3) if "polygon" in added[0] else good
    return lambda record, image: record | {"label": [good, *added]}


COMMON: dict[str, Change] = {
    "line_unreadable": lambda record, image: json.dumps(record)[:-3],
    "image_missing": _missing,
    "image_unreadable": _own_image(lambda image: image.read_bytes()[:60]),
    "label_form": lambda record, image: record | {"label": None},
    "label_reserved": lambda record, image: _with_labels(record, "--bg--"),
    "label_alike": lambda record, image: _with_labels(record, "Can "),
    "label_rare": lambda record, image: _with_labels(record, "a label that is rare"),
    "line_twice": lambda record, image: record | {"image_url": "images/1.png"},
    "image_twice": _own_image(lambda image: image.with_name("2.png").read_bytes()),
    "turned": _own_image(_turned),
    "size_differs": lambda record, image: record | {"image_details": {"width": "640px", "height": "480px"}},
}
BOXES: dict[str, list[Change]] = {
    "box_outside": [
        _objects(_box("can", 0.5, 0.5, 1.01, 0.9)),
        _objects(_box("can", -0.2, 0.5, 0.5, 0.9)),
        lambda record, image: record | {"label": [_box("can", 10, 20, 30, 40)]},
    ],
    "box_empty": [_objects(_box("can", 0.5, 0.5, 0.5, 0.9))],
    "box_swapped": [_objects(_box("can", 0.9, 0.5, 0.5, 0.9)), _objects(_box("can", 0.5, 0.9, 0.9, 0.5))],
    "box_not_number": [
        _objects(_box("can", "left", 0.5, 0.5, 0.9)),
        lambda record, image: record | {"label": [_box("can", None, 0.1, 0.2, 0.3)]},
    ],
    "box_twice": [_objects(_box("jar", 0.5, 0.5, 0.9, 0.9), _box("jar", 0.5, 0.5, 0.9, 0.902))],
}
OUTLINES: dict[str, list[Change]] = {
    "polygon_short": [_objects(_outline("can", 0.1, 0.1, 0.9, 0.9))],
    "polygon_odd": [_objects(_outline("can", 0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.5))],
    "polygon_flat": [_objects(_outline("can", 0.1, 0.1, 0.9, 0.1, 0.5, 0.1001))],
    "polygon_crossing": [_objects(_outline("can", 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.9))],
    "polygon_outside": [_objects(_outline("can", 0.5, 0.5, 1.4, 0.5, 0.5, 0.9))],
    "box_not_number": [_objects(_outline("can", 0.5, 0.5, "x", 0.5, 0.5, 0.9))],
    "box_twice": [
        _objects(_outline("jar", 0.5, 0.5, 0.9, 0.5, 0.5, 0.9), _outline("jar", 0.5, 0.5, 0.9, 0.5, 0.5, 0.901))
    ],
}


def write_faulty(folder: Path, task: TaskName) -> FaultyData:
    """Write `folder`/TASK.jsonl about the images that `write_images` wrote there; 50 of its 1000 lines have a fault."""
    kinds: list[tuple[str, Change]] = list(COMMON.items())
    for of_objects in {"detection": [BOXES], "segmentation": [OUTLINES]}.get(task, []):
        kinds += [(fault, change) for fault, changes in of_objects.items() for change in changes]
    data = FaultyData(folder / f"{task}.jsonl")
    lines = []
    for number in range(1, LINES + 1):
        line: str | Record = clean_record(number, task)
        if number % 20 == 7:
            fault, change = kinds[number // 20 % len(kinds)]
            # every third line is a background, in which nothing could be wrong
            record = clean_record(number if number % 3 else number + 1, task)
            line = change(record | {"image_url": f"images/{number}.png"}, folder / f"images/{number}.png")
            data.faults.add((number, fault))
        lines.append(line if isinstance(line, str) else json.dumps(line))
    data.file.write_text("\n".join(lines) + "\n")
    return data
