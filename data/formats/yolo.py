"""YOLO: a folder with images, a text file for each of them, and the names of the classes."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import yaml

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.errors import DataError
from data.format import Format, Omission, PlacedImage, ReadOptions, Size, WriteOptions, WriteReport
from data.layout.linking import LinkedImages
from data.layout.listing import has_images, images_below, subfolders
from data.outlines import hull, outlines_of, rasterised, traced
from data.record import Box, LabelledImage, LabelledObject, Outline
from data.yolo.class_names import names_file, read_names
from data.yolo.label_file import object_line, read_objects
from models.labels import named

_IMAGES, _LABELS = "images", "labels"


def _recognises(path: Path) -> bool:
    """Return whether a folder has images beside labels, itself or in its parts, or a file of names and text files."""
    if not path.is_dir() or (path / "MLTable").is_file():
        return False
    if any((folder / _IMAGES).is_dir() and (folder / _LABELS).is_dir() for folder in (path, *subfolders(path))):
        return True
    return names_file(path) is not None and has_images(path)


def _read(path: Path, options: ReadOptions) -> Dataset:
    names = read_names(path)
    builder = DatasetBuilder(path, path)
    builder.labels = [label for _, label in sorted(names.labels.items())]
    if names.file is None:
        builder.notes.append("No data.yaml or classes.txt names the classes, so their numbers are the labels.")
    number = 0
    for number, file in enumerate(images_below(path, follow_links=True), 1):
        url = file.relative_to(path).as_posix()
        text = _text_file(path, url)

        def report(fault: str, detail: str, line: int = number, image: str = url) -> None:
            builder.fault(line, image, fault, detail, "object dropped")

        try:
            objects, count = read_objects(text, names, report)
        except FileNotFoundError:
            detail = f"There is no {text.relative_to(path)}. Write an empty one for an image without objects."
            builder.fault(number, url, "unlabelled", detail)
            continue
        except OSError as error:
            builder.fault(number, url, "line_unreadable", f"{text} cannot be read: {error.strerror}.")
            continue
        builder.add_objects(LabelledImage(url, number, (), tuple(objects)), count)
    if not number:
        raise DataError(f"{path} has no images. Expected a folder with {_IMAGES} and {_LABELS} in it.")
    return builder.dataset(options.task)


def _text_file(path: Path, url: str) -> Path:
    """Return where the labels of an image are: below `labels` where it is below `images`, else beside it."""
    *folders, name = url.split("/")
    if _IMAGES in folders:
        # the last one, as the images may be of images
        at = len(folders) - 1 - folders[::-1].index(_IMAGES)
        folders[at] = _LABELS
    return path.joinpath(*folders, name).with_suffix(".txt")


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    report = WriteReport()
    numbers = {label: number for number, label in enumerate(options.labels)}
    linked = LinkedImages(target / _IMAGES)
    for name in (_IMAGES, _LABELS):
        (target / name).mkdir(parents=True)
    for placed in images:
        objects = [each for each in placed.image.objects if not each.crowd]
        if crowds := len(placed.image.objects) - len(objects):
            report.omissions.append(Omission(placed.image, "YOLO has no crowds.", crowds if objects else None))
            if not objects:
                continue
        lines = []
        for each in objects:
            outlines = _outlines(each, placed.size) if options.task == "segmentation" else None
            lines.append(object_line(numbers[each.label], each, outlines))
        file = linked.add(placed)
        (target / _LABELS / f"{file.stem}.txt").write_text("".join(lines))
    described = {
        "path": ".",
        "train": _IMAGES,
        "val": _IMAGES,
        "names": {number: named(label) for label, number in numbers.items()},
    }
    (target / "data.yaml").write_text(yaml.safe_dump(described, sort_keys=False, allow_unicode=True), "utf-8")
    report.notes += linked.clashes
    return report


def _outlines(each: LabelledObject, size: Size | None) -> tuple[Outline, ...]:
    """Return the polygons of an object, none of which overlap, for they become one that must not cross itself."""
    outlines = outlines_of(each)
    boxes = [hull([outline]) for outline in outlines]
    if size is None or not any(_overlap(one, other) for one, other in combinations(boxes, 2)):
        return outlines
    return traced(rasterised(outlines, (size[1], size[0]))) or outlines


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


FORMAT = Format(
    name="yolo",
    title="YOLO",
    tasks=frozenset({"detection", "segmentation"}),
    is_folder=True,
    needs="files",
    recognises=_recognises,
    read=_read,
    write=_write,
)
