"""Writes labelled images as the tasks of Label Studio."""

from collections.abc import Iterator
from typing import Any

from data.encodings.brush_runs import brush_of_pixels
from data.format import PlacedImage, Size
from data.outlines import pixels_of_runs
from data.record import LabelledObject
from models.folder.manifest import TaskName
from models.labels import named

_HUNDRED = 100


def task_of(placed: PlacedImage, number: int, task: TaskName) -> dict[str, Any]:
    """Return a task, with the labels of an image as its one annotation."""
    if task in ("multiclass", "multilabel"):
        result = [_choices(placed)] if placed.image.labels else []
    else:
        assert placed.size is not None
        result = [
            region
            for place, each in enumerate(placed.image.objects, 1)
            for region in _regions(each, place, placed.size, outlined=task == "segmentation")
        ]
    return {
        "id": number,
        "data": {"image": placed.image.url},
        "annotations": [{"id": number, "result": result, "was_cancelled": False, "ground_truth": False}],
        "predictions": [],
    }


def _choices(placed: PlacedImage) -> dict[str, Any]:
    choices = {"choices": [named(label) for label in placed.image.labels]}
    return {"id": "label", "from_name": "label", "to_name": "image", "type": "choices", "value": choices}


def _regions(each: LabelledObject, place: int, size: Size, *, outlined: bool) -> Iterator[dict[str, Any]]:
    """Yield the regions of an object: several where it has several outlines, for none has parts or holes."""
    values = list(_values(each, outlined=outlined))
    meta: dict[str, Any] = {"part_of": f"object-{place}"} if len(values) > 1 else {}
    if each.crowd:
        meta["crowd"] = True
    for part, (kind, value) in enumerate(values, 1):
        yield {
            "id": f"object-{place}" if len(values) == 1 else f"object-{place}-{part}",
            "from_name": "label",
            "to_name": "image",
            "type": kind,
            "original_width": size[0],
            "original_height": size[1],
            "image_rotation": 0,
            "value": {**value, kind: [named(each.label)]},
            **({"meta": meta} if meta else {}),
        }


def _values(each: LabelledObject, *, outlined: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    if outlined and each.mask is not None:
        yield "brushlabels", {"format": "rle", "rle": brush_of_pixels(pixels_of_runs(each.mask))}
    elif outlined:
        for outline in each.polygons:
            points = [[_HUNDRED * outline[at], _HUNDRED * outline[at + 1]] for at in range(0, len(outline) - 1, 2)]
            yield "polygonlabels", {"points": points, "closed": True}
    else:
        left, top, right, bottom = (_HUNDRED * value for value in each.box)
        yield "rectanglelabels", {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
