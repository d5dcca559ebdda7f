"""Images of two objects whose label is decided by a marked part: a patch of colour somewhere on a grey body.

In every second image both objects have the same label. So it is known what a map of one box must show, and what not:
the other object, although it has the label; and within the object the patch, since all bodies are alike.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from examples.patterns.backdrop import draw_backdrop

LABELS = ("blue", "green", "red")
SIZE = (192, 144)  # width and height
CLOSE_UP = 64

_COLOURS = {"red": (0.85, 0.15, 0.15), "green": (0.15, 0.7, 0.2), "blue": (0.15, 0.3, 0.85)}
_SIDES = (40, 62)  # of a body, in pixels
_PATCH = (0.34, 0.46)  # sides of a patch, as shares of those of the body
_GAP = 6

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MarkedObject:
    """An object: its `box` (left, top, right, bottom in pixels), its pixels and those of its patch, bool [H, W]."""

    label: str
    box: tuple[int, int, int, int]
    mask: Mask
    patch: Mask


@dataclass(frozen=True, slots=True)
class MarkedScene:
    """An image, uint8 [H, W, 3], and its objects."""

    image: NDArray[np.uint8]
    objects: tuple[MarkedObject, ...]


def draw_marked_scene(seed: int) -> MarkedScene:
    """Draw the image of a seed; objects of even seeds have the same label, those of odd seeds two labels."""
    rng = np.random.default_rng((seed, 7))
    width, height = SIZE
    values = draw_backdrop(rng, width)[:height].copy()
    first, second = rng.permutation(len(LABELS))[:2]
    labels = (LABELS[first], LABELS[first if seed % 2 == 0 else second])
    # one on each half, so that they never overlap
    halves = ((_GAP, width // 2 - _GAP), (width // 2 + _GAP, width - _GAP))
    objects = tuple(_draw_object(rng, values, label, half) for label, half in zip(labels, halves, strict=True))
    values += np.float32(rng.uniform(0, 0.03)) * rng.standard_normal(values.shape, dtype=np.float32)
    return MarkedScene((values.clip(0, 1) * 255).round().astype(np.uint8), objects)


def write_scenes(folder: Path, first: int, count: int) -> None:
    """Write scenes from a seed on as training reads them: images and labels.jsonl."""
    folder.mkdir(parents=True)
    lines = []
    for seed in range(first, first + count):
        scene = draw_marked_scene(seed)
        Image.fromarray(scene.image).save(folder / f"{seed}.png")
        lines.append({"image_url": f"{seed}.png", "label": [_described(each) for each in scene.objects]})
    (folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_close_ups(folder: Path, first: int, count: int) -> None:
    """Write objects of such scenes alone, square, with their label: what a backbone is trained with."""
    folder.mkdir(parents=True)
    lines = []
    for seed in range(first, first + count):
        scene = draw_marked_scene(seed)
        each = scene.objects[seed // 2 % 2]
        Image.fromarray(scene.image).crop(each.box).resize((CLOSE_UP, CLOSE_UP)).save(folder / f"{seed}.png")
        lines.append({"image_url": f"{seed}.png", "label": each.label})
    (folder / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _described(each: MarkedObject) -> dict[str, object]:
    left, top, right, bottom = each.box
    width, height = SIZE
    corners = {"topX": left / width, "topY": top / height, "bottomX": right / width, "bottomY": bottom / height}
    return {"label": each.label, **corners, "isCrowd": 0}


def _draw_object(
    rng: np.random.Generator, values: NDArray[np.float32], label: str, half: tuple[int, int]
) -> MarkedObject:
    """Draw an object into `values`, float32 [H, W, 3], between two columns."""
    wide, high = (int(rng.integers(*_SIDES)) for _ in range(2))
    left = int(rng.integers(half[0], half[1] - wide + 1))
    top = int(rng.integers(_GAP, SIZE[1] - high - _GAP))
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    across, down = (x + 0.5 - left) / wide, (y + 0.5 - top) / high
    # a rounded rectangle
    mask = (np.abs(2 * across - 1) ** 4 + np.abs(2 * down - 1) ** 4) <= 1
    values[mask] = np.float32(rng.uniform(0.35, 0.65)) + 0.15 * (down[mask][:, None] - 0.5).astype(np.float32)
    share = rng.uniform(*_PATCH, 2)
    start = rng.uniform(0.12, 0.88 - share)
    patch = mask & (across > start[0]) & (across < start[0] + share[0])
    patch &= (down > start[1]) & (down < start[1] + share[1])
    shade = rng.uniform(-0.1, 0.1, 3)
    values[patch] = (np.array(_COLOURS[label]) + shade).clip(0, 1)
    return MarkedObject(label, (left, top, left + wide, top + high), mask, patch)
