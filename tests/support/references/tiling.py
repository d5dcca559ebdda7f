"""Tiling as the hosted pipeline does it, written plainly, to hold the product against."""

from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.support.folders.detector_folders import Reference


def slowly(reference: Reference, data: bytes, grid: tuple[int, int], *, overlap: float, threshold: float) -> list[Any]:
    """What a tiled image shows, by the hosted steps one by one: every part decoded anew, in a batch of its own."""
    whole = Image.open(BytesIO(data)).convert("RGB")
    parts: list[Any] = [(0, 0, whole.width, whole.height)]
    tile_width = np.float32(whole.width / (overlap + (1 - overlap) * grid[0]))
    tile_height = np.float32(whole.height / (overlap + (1 - overlap) * grid[1]))
    for column in range(grid[0]):
        for row in range(grid[1]):
            left = np.float32(column) * np.float32((1 - overlap) * tile_width)
            top = np.float32(row) * np.float32((1 - overlap) * tile_height)
            parts.append([int(np.rint(value)) for value in (left, top, left + tile_width, top + tile_height)])
    entries: list[dict[str, Any]] = []
    size = (0, 0)
    for number, (left, top, right, bottom) in enumerate(parts):
        image = Image.open(BytesIO(data)).convert("RGB").crop((left, top, right, bottom))
        raw, (high, wide) = reference.raw(image)
        if number == 0:
            size = (high, wide)
        for index in range(len(raw["scores"])):
            x0, y0, x1, y1 = raw["boxes"][index].double().tolist()
            across, down = (right - left) / wide * size[1] / whole.width, (bottom - top) / high * size[0] / whole.height
            start_x, start_y = left * size[1] / whole.width, top * size[0] / whole.height
            box = [x0 * across + start_x, y0 * down + start_y, x1 * across + start_x, y1 * down + start_y]
            entry = {name: values[index] for name, values in raw.items()}
            entries.append(entry | {"boxes": torch.tensor(box), "tile": number})
    kept: list[dict[str, Any]] = []
    for entry in sorted(entries, key=lambda entry: -float(entry["scores"])):
        if all(
            other["labels"] != entry["labels"] or other["tile"] == entry["tile"] or _iou(other, entry) <= threshold
            for other in kept
        ):
            kept.append(entry)
    kept = kept[: reference.settings["box_detections_per_img"]]
    stacked = {name: torch.stack([entry[name] for entry in kept]) for name in kept[0] if name != "tile"}
    return reference.objects(stacked, size)


def _iou(one: dict[str, Any], other: dict[str, Any]) -> float:
    a, b = one["boxes"].tolist(), other["boxes"].tolist()
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))
