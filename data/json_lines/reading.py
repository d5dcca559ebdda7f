"""Reads lines of JSONL into labelled images."""

from pathlib import Path
from typing import Any

from data.dataset_builder import DatasetBuilder, is_label
from data.json_lines.lines import LineError, json_object, lines
from data.json_lines.objects import ObjectFormError, finite, read_objects
from data.record import LabelledImage
from settings.excerpt import excerpt


def read_lines(file: Path, label_column: str, builder: DatasetBuilder) -> None:
    """Add the images of a file to `builder`, and its bad lines as faults; DataError where it cannot be read."""
    for number, line in lines(file):
        try:
            record = json_object(line)
        except LineError as error:
            builder.fault(number, "", "line_unreadable", str(error))
            continue
        _read_record(record, number, label_column, builder)


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
    scores = () if confidences is None else _confidences(confidences)
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
    if objects:
        builder.add_objects(complete)
    else:
        # What it shows is unknown, so it is no background
        builder.fault(image.line, image.url, "label_form", "None of the objects of the image can be used.")


def _size(details: Any) -> tuple[int, int] | None:
    """Return (width, height) of `image_details`, which may be 400 or "400px"; None where they are not there."""
    if not isinstance(details, dict):
        return None
    width, height = (_pixels(details.get(side)) for side in ("width", "height"))
    return (width, height) if width and height else None


def _pixels(value: Any) -> int | None:
    number = finite(value.strip().removesuffix("px") if isinstance(value, str) else value)
    return int(number) if number is not None and number > 0 else None


def _confidences(given: Any) -> tuple[float, ...]:
    numbers = [finite(value) for value in (given if isinstance(given, list) else [given])]
    return () if None in numbers else tuple(numbers)  # type: ignore[arg-type]
