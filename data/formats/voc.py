"""Pascal VOC: a folder with an XML file for each image, and masks beside them (http://host.robots.ox.ac.uk/pascal/VOC)."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.errors import DataError
from data.format import Format, Omission, PlacedImage, ReadOptions, WriteOptions, WriteReport
from data.layout.linking import LinkedImages
from data.layout.listing import SUFFIXES
from data.record import LabelledImage, LabelledObject, RunLengths
from data.voc.annotation import (
    XmlError,
    annotation,
    box_of,
    can_be_written,
    is_difficult,
    polygons_of,
    read_xml,
    size_of,
    text_of,
)
from data.voc.masks import MOST_OBJECTS, read_masks, write_masks
from settings.excerpt import counted, excerpt

_ANNOTATIONS, _IMAGES, _MASKS = "Annotations", "JPEGImages", "SegmentationObject"
_MOST_TRIED = 5


def _recognises(path: Path) -> bool:
    if not path.is_dir():
        return False
    for file in islice((path / _ANNOTATIONS if (path / _ANNOTATIONS).is_dir() else path).glob("*.xml"), _MOST_TRIED):
        try:
            read_xml(file)
            return True
        except XmlError:
            pass
    return False


def _read(path: Path, options: ReadOptions) -> Dataset:
    folder = path / _ANNOTATIONS if (path / _ANNOTATIONS).is_dir() else path
    files = sorted(file for file in folder.glob("*.xml") if not file.name.startswith("."))
    if not files:
        raise DataError(f"{path} has no XML files, nor has a folder {_ANNOTATIONS} in it.")
    builder = DatasetBuilder(path, path)
    for number, file in enumerate(files, 1):
        _read_file(path, file, number, options, builder)
    return builder.dataset(options.task)


def _read_file(path: Path, file: Path, number: int, options: ReadOptions, builder: DatasetBuilder) -> None:
    name = file.relative_to(path).as_posix()
    try:
        root = read_xml(file)
    except XmlError as error:
        builder.fault(number, name, "line_unreadable", str(error))
        return
    url = _url(path, file, text_of(root, "filename"))
    size = size_of(root) or options.size_of(url)
    elements = root.findall("object")
    if size is None and elements:
        detail = f"{name} does not tell the width and height of the image, which was not found. Name its folder."
        builder.fault(number, url, "image_missing", detail)
        return
    objects: list[LabelledObject] = []
    masks: list[RunLengths | None] = [None] * len(elements)
    picture = path / _MASKS / f"{file.stem}.png"
    if size is not None and any(each.find("polygon") is None for each in elements) and picture.is_file():
        try:
            masks = read_masks(picture, len(elements), size)
        except ValueError as error:
            builder.fault(number, url, "polygon_odd", f"{picture.name} of masks has {error}.", "masks ignored")
    for place, (element, mask) in enumerate(zip(elements, masks, strict=True), 1):
        label = text_of(element, "name")
        try:
            assert size is not None
            box = box_of(element, size, options.voc_origin)
            polygons = polygons_of(element, size, options.voc_origin)
        except ValueError as error:
            builder.fault(
                number, url, "box_not_number", f"Object {place} ({excerpt(label)}): {error}.", "object dropped"
            )
            continue
        # Polygons may overlap, where masks have lost what others cover
        exact = None if polygons else mask
        objects.append(LabelledObject(label, box, polygons, exact, is_difficult(element)))
    builder.add_objects(LabelledImage(url, number, (), tuple(objects), size), len(elements))


def _url(path: Path, file: Path, name: str) -> str:
    """Return where the image of an XML file is: what it names, else the only one that is named like the XML file."""
    folder = path / _IMAGES if (path / _IMAGES).is_dir() else file.parent
    # Some programs write the whole path of another machine
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    if name and (folder / name).is_file():
        return (folder / name).relative_to(path).as_posix()
    alike = [found for suffix in sorted(SUFFIXES) if (found := folder / (file.stem + suffix)).is_file()]
    found = alike[0] if len(alike) == 1 else folder / (name or file.stem)
    return found.relative_to(path).as_posix()


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    report = WriteReport()
    outlined = options.task == "segmentation"
    linked = LinkedImages(target / _IMAGES)
    for name in (_ANNOTATIONS, _IMAGES, "ImageSets/Main", *([_MASKS] if outlined else [])):
        (target / name).mkdir(parents=True)
    stems, covered = [], 0
    for placed in images:
        assert placed.size is not None
        objects = placed.image.objects
        if odd := [each.label for each in objects if not can_be_written(each.label)]:
            reason = f"The label {excerpt(odd[0])} has characters that XML has not."
            report.omissions.append(Omission(placed.image, reason))
            continue
        file = linked.add(placed)
        if outlined and len(objects) <= MOST_OBJECTS:
            covered += write_masks(target / _MASKS / f"{file.stem}.png", objects, placed.size)
        text = annotation(file.name, placed.size, objects, options.voc_origin, outlined=outlined)
        (target / _ANNOTATIONS / f"{file.stem}.xml").write_bytes(text)
        stems.append(file.stem)
    (target / "ImageSets/Main/trainval.txt").write_text("".join(f"{stem}\n" for stem in stems))
    report.notes += linked.clashes
    crowded = sum(len(placed.image.objects) > MOST_OBJECTS for placed in images) if outlined else 0
    if crowded:
        report.notes.append(
            f"{counted(crowded, 'image')} of more than {MOST_OBJECTS} objects: polygons, but no picture of masks."
        )
    if covered:
        report.notes.append(
            f"{counted(covered, 'object')} partly covered in the pictures of masks, but whole as polygons."
        )
    return report


FORMAT = Format(
    name="voc",
    title="Pascal VOC",
    tasks=frozenset({"detection", "segmentation"}),
    is_folder=True,
    needs="files",
    recognises=_recognises,
    read=_read,
    write=_write,
)
