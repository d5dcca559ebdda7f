"""JSONL: one JSON object a line, as Azure's AutoML for Images reads and writes it."""

from collections.abc import Sequence
from pathlib import Path

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.format import Format, PlacedImage, ReadOptions, WriteOptions, WriteReport
from data.json_lines.lines import LineError, json_object, lines
from data.json_lines.reading import read_lines
from data.json_lines.writing import write_lines

_SUFFIXES = {".jsonl", ".ndjson"}
_MOST_TRIED = 20  # lines


def _recognises(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() in {".csv", ".tsv"}:
        return False
    return path.suffix.lower() in _SUFFIXES or _holds_records(path)


def _holds_records(path: Path) -> bool:
    """Return whether one of the first lines is an object with an image."""
    for tried, (_, line) in enumerate(lines(path)):
        try:
            if {"image_url", "imageUrl"} & json_object(line).keys():
                return True
        except LineError:
            pass
        if tried >= _MOST_TRIED:
            break
    return False


def _read(path: Path, options: ReadOptions) -> Dataset:
    builder = DatasetBuilder(path, path.parent)
    read_lines(path, options.label_column, builder)
    return builder.dataset(options.task)


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    with target.open("xb") as stream:
        write_lines(images, options.task, stream)
    return WriteReport()


FORMAT = Format(
    name="jsonl",
    title="JSONL",
    tasks=frozenset({"multiclass", "multilabel", "detection", "segmentation"}),
    is_folder=False,
    needs="nothing",
    recognises=_recognises,
    read=_read,
    write=_write,
)
