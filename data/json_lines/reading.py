"""Reads lines of JSONL into labelled images."""

from pathlib import Path
from typing import Any

from data.dataset_builder import DatasetBuilder, is_label
from data.encodings.numbers import all_finite, pixel_size
from data.json_lines.lines import LineError, json_object, lines
from data.json_lines.objects import ObjectFormError, read_objects
from data.record import LabelledImage
from settings.excerpt import excerpt


def read_lines(file: Path, label_column: str, builder: DatasetBuilder) -> int:
    """Add the images of a file to `builder`, and its bad lines as faults; return the number of its last line.

    DataError where it cannot be read.
    """
    number = 0
    for number, line in lines(file):
        try:
            record = json_object(line)
        except LineError as error:
            builder.fault(number, "", "line_unreadable", str(error))
            continue
        _read_record(record, number, label_column, builder)
    return number


def _read_record(record: dict[str, Any], number: int, label_column: str, builder: DatasetBuilder) -> None:
    url = record.get("image_url", record.get("imageUrl"))
    if type(url) is not str or not url.strip():
        given = "no 'image_url'" if url is None else f"{excerpt(url)} as 'image_url'"
        builder.fault(number, "", "line_unreadable", f"The line has {given}; expected the path or URL of an image.")
        return
    if label_column not in record:
        builder.fault(
            number,
            url,
            "label_form",
            f"The line has no {label_column!r}, only {', '.join(map(excerpt, record))}. Name the key of its labels.",
        )
        return
    details, confidences = record.get("image_details", record.get("imageDetails")), record.get("label_confidence")
    size = None if details is None else _size(details)
    scores = (
        () if confidences is None else all_finite(confidences if isinstance(confidences, list) else [confidences]) or ()
    )
    given = record[label_column]
    if is_label(given):
        builder.add(LabelledImage(url, number, (given,), size=size, confidences=scores), "one label")
        return
    entries = [given] if type(given) is dict else given
    if type(entries) is not list:
        detail = f"The label is {excerpt(given)}; expected a text, a whole number, or a list of labels or objects."
        builder.fault(number, url, "label_form", detail)
    elif not entries:
        builder.add(LabelledImage(url, number, size=size), "an empty list")
    elif all(map(is_label, entries)):
        labels = tuple(dict.fromkeys(entries))
        scores = scores if len(labels) == len(entries) else ()
        builder.add(LabelledImage(url, number, labels, size=size, confidences=scores), "a list of labels")
    else:
        _read_objects(entries, LabelledImage(url, number, size=size, confidences=scores), builder)


def _read_objects(entries: list[Any], image: LabelledImage, builder: DatasetBuilder) -> None:
    try:
        objects = read_objects(entries, image.line, image.url, builder)
    except ObjectFormError as error:
        builder.fault(image.line, image.url, "label_form", str(error))
        return
    complete = LabelledImage(image.url, image.line, (), objects, image.size, image.confidences)
    builder.add_objects(complete, len(entries))


def _size(details: Any) -> tuple[int, int] | None:
    """Return (width, height) of `image_details`; None where they are not there."""
    return pixel_size(details.get("width"), details.get("height")) if isinstance(details, dict) else None
