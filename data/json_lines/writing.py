"""Writes labelled images as lines of JSONL."""

from collections.abc import Iterable
from typing import IO, Any

import msgspec

from data.format import PlacedImage
from data.outlines import outlines_of
from data.record import LabelledObject
from models.folder.manifest import TaskName


def write_lines(images: Iterable[PlacedImage], task: TaskName, stream: IO[bytes]) -> None:
    """Write one line for each image. Masks become polygons, for the format has nothing else."""
    encode = msgspec.json.encode
    for placed in images:
        stream.write(encode(_record(placed, task)))
        stream.write(b"\n")


def _record(placed: PlacedImage, task: TaskName) -> dict[str, Any]:
    image = placed.image
    record: dict[str, Any] = {"image_url": image.url}
    if size := placed.size or image.size:
        record["image_details"] = {"width": size[0], "height": size[1]}
    if task == "multiclass":
        record["label"] = image.labels[0]
    elif task == "multilabel":
        record["label"] = list(image.labels)
    else:
        record["label"] = [_object(each, outlined=task == "segmentation") for each in image.objects]
    if image.confidences:
        record["label_confidence"] = list(image.confidences)
    return record


def _object(each: LabelledObject, outlined: bool) -> dict[str, Any]:
    if outlined:
        return {"label": each.label, "isCrowd": int(each.crowd), "polygon": outlines_of(each)}
    left, top, right, bottom = each.box
    corners = {"topX": left, "topY": top, "bottomX": right, "bottomY": bottom}
    return {"label": each.label, **corners, "isCrowd": int(each.crowd)}
