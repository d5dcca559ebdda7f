"""Generated scenes: labelled images with boxes and polygons that do not overlap, and image files of their sizes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.dataset import Dataset
from data.outlines import pixels_of
from data.record import LabelledImage, LabelledObject

LABELS = ("can", "carton", "milk bottle", "water bottle")
_CELLS = 3  # across and down, each with one object or none


def write_scenes(folder: Path, count: int, *, outlined: bool, crowds: bool = False, seed: int = 0) -> Path:
    """Write JSONL and its images; every seventh image is a background. Return the JSONL."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    lines = []
    for number in range(count):
        size = int(random.integers(120, 700)), int(random.integers(120, 700))
        Image.new("1", size).save(folder / "images" / f"{number:03}.png")
        cells = random.permutation(_CELLS**2)[: 0 if number % 7 == 6 else random.integers(1, 6)]
        objects = [_object(random, divmod(int(cell), _CELLS), outlined=outlined) for cell in cells]
        if crowds and objects:
            objects[0]["isCrowd"] = 1
        lines.append(json.dumps({"image_url": f"images/{number:03}.png", "label": objects}))
    file = folder / "train.jsonl"
    file.write_text("\n".join(lines))
    return file


def _object(random: np.random.Generator, cell: tuple[int, int], *, outlined: bool) -> dict[str, Any]:
    label = LABELS[random.integers(len(LABELS))]
    corner = np.array(cell[::-1]) / _CELLS
    if not outlined:
        low, high = random.uniform(0, 0.1, 2), random.uniform(0.2, 0.33, 2)
        (left, top), (right, bottom) = corner + low, corner + high
        return {"label": label, "topX": left, "topY": top, "bottomX": right, "bottomY": bottom, "isCrowd": 0}
    # two parts of different sizes, side by side, in some objects
    parts = [(0.11, 0.16, 0.09), (0.265, 0.16, 0.05)][: 1 + int(random.integers(2))]
    polygons = []
    for x, y, radius in parts:
        angles = (np.arange(8) + random.uniform(0, 0.8, 8)) * np.pi / 4
        lengths = radius * random.uniform(0.7, 1, 8)
        points = corner + np.array([x, y]) + np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], 1)
        polygons.append(points.ravel().tolist())
    return {"label": label, "isCrowd": 0, "polygon": polygons}


def by_name(dataset: Dataset) -> dict[str, LabelledImage]:
    """Return images by the names of their files, which formats put into different folders."""
    return {image.url.rsplit("/", 1)[-1].rsplit(".", 1)[0]: image for image in dataset.images}


def assert_same_boxes(dataset: Dataset, expected: Dataset, *, within: float = 1e-6) -> None:
    """Compare images, the order of their objects, labels, crowds and boxes, as shares of the image."""
    found, wanted = by_name(dataset), by_name(expected)
    assert found.keys() == wanted.keys()
    for name, image in wanted.items():
        objects = found[name].objects
        assert [(each.label, each.crowd) for each in objects] == [(each.label, each.crowd) for each in image.objects]
        for each, other in zip(objects, image.objects, strict=True):
            assert np.abs(np.subtract(each.box, other.box)).max() < within, name


def assert_same_masks(dataset: Dataset, expected: Dataset, sizes: dict[str, tuple[int, int]]) -> None:
    """Compare the pixels of all objects by their intersection over union, which has to be above 0.99."""
    found, wanted = by_name(dataset), by_name(expected)
    assert found.keys() == wanted.keys()
    for name, image in wanted.items():
        assert [each.label for each in found[name].objects] == [each.label for each in image.objects]
        for each, other in zip(found[name].objects, image.objects, strict=True):
            assert overlap(each, other, sizes[name]) > 0.99, name


def overlap(each: LabelledObject, other: LabelledObject, size: tuple[int, int]) -> float:
    """Return the intersection over union of two objects in an image of `size` (width, height)."""
    one, two = pixels_of(each, size[::-1]), pixels_of(other, size[::-1])
    return float((one & two).sum() / (one | two).sum())


def sizes_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the sizes of the images of some scenes by their names."""
    sizes = {}
    for file in sorted((folder / "images").iterdir()):
        with Image.open(file) as image:
            sizes[file.stem] = image.size
    return sizes
