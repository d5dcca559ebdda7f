"""Label Studio: the JSON in which it exports tasks with their annotations, and takes them in again."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.encodings.json_document import holds_document, read_document
from data.errors import DataError
from data.format import Format, PlacedImage, ReadOptions, WriteOptions, WriteReport
from data.label_studio.regions import ReadRegions, read_regions
from data.label_studio.writing import task_of
from data.record import LabelledImage
from settings.excerpt import excerpt

_IMAGE_KEYS = ("image", "img", "image_url", "url")


def _recognises(path: Path) -> bool:
    return holds_document(path, b"[", (b'"data"', b'"annotations"'))


def _read(path: Path, options: ReadOptions) -> Dataset:
    tasks = read_document(path)
    if not isinstance(tasks, list):
        raise DataError(f"{path} is no export of Label Studio: it holds {excerpt(tasks)}; expected a list of tasks.")
    builder = DatasetBuilder(path, path.parent)
    found: list[tuple[LabelledImage, ReadRegions]] = []
    several = 0
    for number, task in enumerate(tasks, 1):
        url = _url(task)
        annotations = task.get("annotations") if isinstance(task, dict) else None
        if url is None or not isinstance(annotations, list):
            detail = (
                f"Task {number} is {excerpt(task)}; expected 'data' with an image, and 'annotations': export as JSON."
            )
            builder.fault(number, url or "", "line_unreadable", detail)
            continue
        result = _chosen(annotations)
        if result is None:
            why = "has no annotation" if not annotations else "was skipped by all who saw it"
            builder.fault(number, url, "unlabelled", f"The task {why}. Submit an empty one for a background.")
            continue
        several += len(annotations) > 1
        read = read_regions(result, partial(options.size_of, url))
        found.append((LabelledImage(url, number, size=read.size), read))
    if several:
        builder.notes.append(
            f"{several} tasks have several annotations: the ground truth was taken, or the newest one."
        )
    if turned := sum(read.turned for _, read in found):
        builder.notes.append(f"{turned} turned boxes became the upright boxes around them.")
    _add(found, options, builder)
    return builder.dataset(options.task)


def _add(found: list[tuple[LabelledImage, ReadRegions]], options: ReadOptions, builder: DatasetBuilder) -> None:
    lists = any(len(read.choices) > 1 for _, read in found) if options.task is None else options.task == "multilabel"
    for image, read in found:
        for error in read.faults:
            builder.fault(image.line, image.url, error.fault, f"{error}.", "object dropped")
        if read.has_choices and not read.objects:
            labels = tuple(dict.fromkeys(read.choices))
            of_one = len(labels) == 1 and not lists
            labelled = LabelledImage(image.url, image.line, labels, size=image.size)
            builder.add(labelled, "an empty list" if not labels else "one label" if of_one else "a list of labels")
        else:
            builder.add_objects(LabelledImage(image.url, image.line, (), tuple(read.objects), image.size), read.given)


def _url(task: Any) -> str | None:
    """Return the image of a task: what `data` calls so, else its only text."""
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        return None
    named = [data[key] for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    texts = named[:1] or [value for value in data.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else None


def _chosen(annotations: list[Any]) -> list[Any] | None:
    """Return the result of the ground truth, else of the newest annotation that was not cancelled; None without any."""
    usable = [
        each
        for each in annotations
        if isinstance(each, dict) and not each.get("was_cancelled") and isinstance(each.get("result"), list)
    ]
    if not usable:
        return None
    truths = [each for each in usable if each.get("ground_truth")]
    newest = max(enumerate(truths or usable), key=lambda pair: (_time(pair[1]), pair[0]))
    return list(newest[1]["result"])


def _time(annotation: dict[str, Any]) -> str:
    """Return when an annotation was changed: a text of ISO 8601 in UTC, which sorts by time."""
    time = annotation.get("updated_at") or annotation.get("created_at")
    return time if isinstance(time, str) else ""


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    tasks = [task_of(placed, number, options.task) for number, placed in enumerate(images, 1)]
    with target.open("xb") as stream:
        stream.write(msgspec.json.encode(tasks))
    return WriteReport()


FORMAT = Format(
    name="labelstudio",
    title="Label Studio",
    tasks=frozenset({"multiclass", "multilabel", "detection", "segmentation"}),
    is_folder=False,
    needs="sizes",
    recognises=_recognises,
    read=_read,
    write=_write,
    is_turned=True,
)
