"""The files of a split: JSONL beside each other, whose URLs lead to the same images from a new folder."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec

from data.dataset import CheckedImage, Dataset
from data.errors import DataError
from data.format import PlacedImage
from data.json_lines.lines import LineError, json_object, lines
from data.json_lines.writing import write_lines
from data.reading import recognised
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName


@dataclass(frozen=True, slots=True)
class SourceLines:
    """What the lines of a data set say besides their labels; nothing, where it is in another format than JSONL."""

    source: Path
    records: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, form: str | None, label_column: str) -> "SourceLines":
        """Read the other keys of all lines, by line. Without the name of its format, that is recognised."""
        if (form or recognised(dataset.source).name) != "jsonl":
            return cls(dataset.source)
        known = {"image_url", "imageUrl", "image_details", "imageDetails", "label_confidence", "label", label_column}
        records = {}
        for number, line in lines(dataset.source):
            try:
                records[number] = {key: value for key, value in json_object(line).items() if key not in known}
            except LineError:
                continue
        return cls(dataset.source, records)

    def values(self, key: str) -> dict[int, str]:
        """Return the value of a key by line, as a text; only where a line has it, and it is not null."""
        found = {number: record[key] for number, record in self.records.items() if record.get(key) is not None}
        return {number: value if isinstance(value, str) else repr(value) for number, value in found.items()}


def write_parts(
    folder: Path,
    parts: Mapping[str, Sequence[CheckedImage]],
    task: TaskName,
    source: SourceLines,
    store: ImageStore,
) -> None:
    """Write NAME.jsonl into `folder` for each part by its name; all of them, or none.

    DataError where that would replace the source; OSError where it cannot be written.
    """
    targets = {folder / f"{name}.jsonl": images for name, images in parts.items()}
    for target in targets:
        if target.exists() and source.source.exists() and target.samefile(source.source):
            raise DataError(f"{target} is what is to be split, and would be replaced. Name another folder with --out.")
    contents = {target: _content(images, folder, task, source, store) for target, images in targets.items()}
    folder.mkdir(parents=True, exist_ok=True)
    growing = {target: target.with_name(f".{target.name}.{os.getpid()}") for target in targets}
    try:
        for target, content in contents.items():
            growing[target].write_bytes(content)
        for target, file in growing.items():
            file.replace(target)
    finally:
        for file in growing.values():
            file.unlink(missing_ok=True)


def _content(
    images: Sequence[CheckedImage], folder: Path, task: TaskName, source: SourceLines, store: ImageStore
) -> bytes:
    placed = [
        PlacedImage(replace(each.image, url=store.url_from(each.image.url, each.file, folder)), each.file, each.size)
        for each in images
    ]
    stream = BytesIO()
    write_lines(placed, task, stream)
    written = [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    records = [record | source.records.get(each.image.line, {}) for record, each in zip(written, images, strict=True)]
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)
