"""Close-ups: the objects of a drawn data set, cropped out and labelled one by one.

A network that learns to tell close-ups apart is a start for one that finds objects, and small images are cheap.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from examples.fridge.dataset import LABEL_FILE

_SIDE = 96  # pixels
_ROOM = (1.0, 1.5)  # the side of the crop, in sides of the object


def write_closeups(drawn: Path, folder: Path) -> int:
    """Crop every object of a data set of `write_dataset` at random; return how many there are."""
    folder.mkdir(parents=True)
    annotations = json.loads((drawn / "annotations.json").read_text())
    lines = [line for number, one in enumerate(annotations) for line in _crops(drawn, folder, number, one)]
    (folder / LABEL_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return len(lines)


def _crops(drawn: Path, folder: Path, number: int, annotation: dict[str, Any]) -> Iterator[dict[str, str]]:
    rng = np.random.default_rng((annotation["seed"], 7))
    with Image.open(drawn / annotation["image"]) as image:
        for index, item in enumerate(annotation["objects"]):
            name = f"{number:06d}_{index}.jpg"
            square = _square(rng, item["box"], image.size)
            image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=square).save(folder / name, quality=90)
            yield {"image_url": name, "label": item["label"]}


def _square(
    rng: np.random.Generator, box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return a square around a box, inside an image of `size` (width, height): left, top, right, bottom."""
    sides = (box[2] - box[0], box[3] - box[1])
    side = min(max(sides) * rng.uniform(*_ROOM), *size)
    corner = []
    for axis in (0, 1):
        middle = (box[axis] + box[axis + 2]) / 2 + rng.uniform(-0.5, 0.5) * max(side - sides[axis], 0.0)
        corner.append(min(max(middle - side / 2, 0.0), size[axis] - side))
    return corner[0], corner[1], corner[0] + side, corner[1] + side
