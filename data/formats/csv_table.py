"""CSV and TSV: a row for each image with its labels, or for each box with its label and corners."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.format import Format, Omission, PlacedImage, ReadOptions, WriteOptions, WriteReport
from data.table.rows import read_table
from models.labels import named

_SUFFIXES = {".csv", ".tsv"}


def _recognises(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def _read(path: Path, options: ReadOptions) -> Dataset:
    builder = DatasetBuilder(path, path.parent)
    read_table(path, options, builder)
    return builder.dataset(options.task)


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    report = WriteReport()
    with target.open("x", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t" if target.suffix == ".tsv" else ",", lineterminator="\n")
        writer.writerows(_boxes(images, report) if options.task == "detection" else _labels(images, options))
    return report


def _labels(images: Sequence[PlacedImage], options: WriteOptions) -> Iterator[list[str]]:
    if options.task == "multiclass":
        yield ["path", "label"]
    else:
        # Two columns at least, which tell that an image may have several labels
        yield ["path", *(f"label{n}" for n in range(1, max([2, *(len(each.image.labels) for each in images)]) + 1))]
    for placed in images:
        yield [placed.image.url, *map(named, placed.image.labels)]


def _boxes(images: Sequence[PlacedImage], report: WriteReport) -> Iterator[list[object]]:
    yield ["path", "label", "xmin", "ymin", "xmax", "ymax", "width", "height"]
    for placed in images:
        assert placed.size is not None
        width, height = placed.size
        objects = [each for each in placed.image.objects if not each.crowd]
        if crowds := len(placed.image.objects) - len(objects):
            report.omissions.append(Omission(placed.image, "CSV has no crowds.", crowds if objects else None))
        elif not objects:
            yield [placed.image.url, *[""] * 5, width, height]
        for each in objects:
            left, top, right, bottom = each.box
            corners = left * width, top * height, right * width, bottom * height
            yield [placed.image.url, named(each.label), *corners, width, height]


FORMAT = Format(
    name="csv",
    title="CSV",
    tasks=frozenset({"multiclass", "multilabel", "detection"}),
    is_folder=False,
    needs="sizes",
    recognises=_recognises,
    read=_read,
    write=_write,
)
