"""Reads a COCO document into labelled images."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.coco.annotations import AnnotationError, CocoUnits, read_annotation, units_of
from data.dataset_builder import DatasetBuilder, is_label
from data.encodings.json_document import read_document
from data.encodings.numbers import pixel_size
from data.errors import DataError
from data.format import ReadOptions, Size
from data.record import LabelledImage
from models.labels import Label
from settings.excerpt import excerpt

Annotations = dict[Any, list[tuple[int, dict[str, Any]]]]


def read_coco(path: Path, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Add the images of a document to `builder`; DataError where it is no COCO document."""
    document = read_document(path)
    keys = document if isinstance(document, dict) else {}
    images, annotations = keys.get("images"), keys.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise DataError(f"{path} is no COCO file: it has no lists 'images' and 'annotations'.")
    labels = _labels(keys.get("categories"), builder)
    known = {key for entry in images if isinstance(entry, dict) and (key := _key(entry.get("id"))) is not None}
    grouped = _grouped(annotations, known, builder)
    units = units_of([entry for entries in grouped.values() for _, entry in entries])
    for shares, what in ((units.boxes_are_shares, "boxes"), (units.polygons_are_shares, "polygons")):
        if shares:
            builder.notes.append(f"No number of the {what} is above 1, so they were read as shares instead of pixels.")
    reader = _AnnotationReader(labels, units, options, builder)
    seen = set()
    for number, entry in enumerate(images, 1):
        url = _url(entry)
        if url is None:
            detail = f"Image {number} is {excerpt(entry)}; expected an object with 'id' and 'file_name'."
            builder.fault(number, "", "line_unreadable", detail)
            continue
        key = _key(entry.get("id"))
        if key is None or key in seen:
            detail = f"Its id is {excerpt(entry.get('id'))}, which " + (
                "another image has" if key in seen else "is no number or text"
            )
            builder.fault(number, url, "line_unreadable", f"{detail}. Give each image an id of its own.")
            continue
        seen.add(key)
        size = pixel_size(entry.get("width"), entry.get("height"))
        image = LabelledImage(url, number, size=size)
        reader.add(image, grouped.get(key, []))


@dataclass(frozen=True, slots=True)
class _AnnotationReader:
    """Adds images with the objects of their annotations to `builder`."""

    labels: dict[Any, Label]
    units: CocoUnits
    options: ReadOptions
    builder: DatasetBuilder

    def add(self, image: LabelledImage, entries: list[tuple[int, dict[str, Any]]]) -> None:
        size: Size | None = image.size
        if size is None and entries and self.units.pixels:
            size = self.options.size_of(image.url)
            if size is None:
                detail = "The file does not tell its width and height, and the image was not found. Name its folder."
                self.builder.fault(image.line, image.url, "image_missing", detail)
                return
        objects = []
        for number, entry in entries:
            key = _key(entry.get("category_id"))
            if key not in self.labels:
                detail = (
                    f"Annotation {number} names the category {excerpt(entry.get('category_id'))}, which is not there."
                )
                self.builder.fault(image.line, image.url, "label_form", detail, "object dropped")
                continue
            try:
                objects.append(read_annotation(entry, self.labels[key], size, self.units))
            except AnnotationError as error:
                detail = f"Annotation {number} ({excerpt(self.labels[key])}): {error}."
                self.builder.fault(image.line, image.url, error.fault, detail, "object dropped")
        self.builder.add_objects(LabelledImage(image.url, image.line, (), tuple(objects), image.size), len(entries))


def _labels(categories: Any, builder: DatasetBuilder) -> dict[Any, Label]:
    labels: dict[Any, Label] = {}
    for entry in categories if isinstance(categories, list) else []:
        name, key = (entry.get("name"), _key(entry.get("id"))) if isinstance(entry, dict) else (None, None)
        if key is None or not is_label(name) or key in labels:
            detail = f"The category {excerpt(entry)} has no name, or no id of its own."
            builder.fault(0, "", "label_form", detail, "category ignored")
        else:
            labels[key] = name
    builder.labels = list(dict.fromkeys(labels.values()))
    return labels


def _grouped(annotations: list[Any], known: set[Any], builder: DatasetBuilder) -> Annotations:
    grouped: Annotations = defaultdict(list)
    for number, entry in enumerate(annotations, 1):
        key = _key(entry.get("image_id")) if isinstance(entry, dict) else None
        if key is None or key not in known:
            what = f"names the image {excerpt(entry.get('image_id'))}" if isinstance(entry, dict) else excerpt(entry)
            builder.fault(0, "", "label_form", f"Annotation {number} {what}, which is not there.", "object dropped")
        else:
            grouped[key].append((number, entry))
    return grouped


def _key(value: Any) -> Any:
    """Return an id, which is a number or a text; None where it is not."""
    return value if type(value) in (int, float, str) else None


def _url(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    urls = (entry.get(name) for name in ("file_name", "coco_url", "flickr_url"))
    return next((url for url in urls if isinstance(url, str) and url.strip()), None)
