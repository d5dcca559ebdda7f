"""COCO: one JSON document of images, categories and annotations (https://cocodataset.org/#format-data)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from data.coco.reading import read_coco
from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.encodings.coco_counts import text_of_counts
from data.encodings.json_document import holds_document
from data.format import Format, PlacedImage, ReadOptions, Size, WriteOptions, WriteReport
from data.outlines import signed_area
from data.record import LabelledObject, Outline
from models.labels import named


def _recognises(path: Path) -> bool:
    return holds_document(path, b"{", (b'"images"', b'"annotations"'))


def _read(path: Path, options: ReadOptions) -> Dataset:
    builder = DatasetBuilder(path, path.parent)
    read_coco(path, options, builder)
    return builder.dataset(options.task)


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    numbers = {label: number for number, label in enumerate(options.labels, 1)}
    entries: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for placed in images:
        assert placed.size is not None
        width, height = placed.size
        number = len(entries) + 1
        entries.append({"id": number, "file_name": placed.image.url, "width": width, "height": height})
        for each in placed.image.objects:
            shape = _shape(each, placed.size) if options.task == "segmentation" else _box(each, placed.size)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": numbers[each.label],
                    **shape,
                    "iscrowd": int(each.crowd),
                }
            )
    document = {
        "info": {"description": "Labelled images"},
        "images": entries,
        "annotations": annotations,
        "categories": [{"id": number, "name": named(label)} for label, number in numbers.items()],
    }
    with target.open("xb") as stream:
        stream.write(msgspec.json.encode(document))
    return WriteReport()


def _box(each: LabelledObject, size: Size) -> dict[str, Any]:
    width, height = size
    left, top, right, bottom = each.box
    wide, high = (right - left) * width, (bottom - top) * height
    return {"bbox": [left * width, top * height, wide, high], "area": wide * high, "segmentation": []}


def _shape(each: LabelledObject, size: Size) -> dict[str, Any]:
    """Return box, area and outline of an object: its polygons, or the run lengths of a mask that has no others."""
    entry = _box(each, size)
    if each.mask is not None:
        entry["area"] = sum(each.mask.counts[1::2])
        entry["segmentation"] = {"size": list(each.mask.size), "counts": text_of_counts(each.mask.counts)}
    elif each.polygons:
        # Readers take four numbers for a box
        parts = [_in_pixels(part, size) for part in each.polygons if len(part) >= 6]
        entry["area"] = sum(abs(signed_area(part)) for part in parts)
        entry["segmentation"] = parts
    return entry


def _in_pixels(outline: Outline, size: Size) -> list[float]:
    scales = size * (len(outline) // 2)
    return [value * scale for value, scale in zip(outline, scales, strict=True)]


FORMAT = Format(
    name="coco",
    title="COCO",
    tasks=frozenset({"detection", "segmentation"}),
    is_folder=False,
    needs="sizes",
    recognises=_recognises,
    read=_read,
    write=_write,
)
