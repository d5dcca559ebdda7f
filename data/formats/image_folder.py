"""A folder per class: each image is labelled with the name of the folder that it lies in."""

from collections.abc import Sequence
from pathlib import Path

from data.dataset import Dataset
from data.dataset_builder import DatasetBuilder
from data.errors import DataError
from data.format import Format, Omission, PlacedImage, ReadOptions, WriteOptions, WriteReport
from data.layout.linking import LinkedImages
from data.layout.listing import has_images, images_below, is_image_name, subfolders
from data.record import LabelledImage
from models.labels import Label, named
from settings.excerpt import counted, excerpt

_PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_OTHERS = ("MLTable", "Annotations", "labels", "data.yaml", "classes.txt", "obj.names")  # what other formats have
_NO_LABELS = {"images", "image", "img", "imgs", "pics", "pictures", "photos", "jpegimages"}
_MOST_NAME = 200  # bytes


def _recognises(path: Path) -> bool:
    if not path.is_dir() or any((path / name).exists() for name in _OTHERS):
        return False
    folders = [folder for folder in subfolders(path) if folder.name.lower() not in _NO_LABELS]
    if any((folder / "labels").is_dir() for folder in folders):
        return False
    return any(has_images(inner) for folder in folders for inner in (folder, *subfolders(folder)))


def _read(path: Path, options: ReadOptions) -> Dataset:
    folders = subfolders(path)
    if not folders:
        raise DataError(f"{path} has no folders. Expected one for each label, with its images in it.")
    if all(folder.name.lower() in _PARTS for folder in folders):
        names = " or ".join(str(folder) for folder in folders)
        raise DataError(f"{path} has the parts of a data set, not its labels. Give {names}.")
    builder = DatasetBuilder(path, path)
    builder.labels = [folder.name for folder in folders]
    tree = path.resolve()
    number = nested = 0
    for file in sorted(path.iterdir()):
        if is_image_name(file.name) and file.is_file():
            number += 1
            detail = f"The image lies beside the folders of labels. Move it into one of {excerpt(builder.labels)}."
            builder.fault(number, file.name, "label_form", detail)
    for folder in folders:
        if folder.is_symlink() and not folder.resolve().is_relative_to(tree):
            detail = (
                f"The folder is a link to {folder.resolve()}, out of {path}. Copy it, or give the folder it leads to."
            )
            builder.fault(0, folder.name, "link_outside", detail, "folder ignored")
            continue
        for file in images_below(folder):
            number += 1
            url = file.relative_to(path).as_posix()
            if file.is_symlink() and not file.resolve().is_relative_to(tree):
                detail = f"The image is a link to {file.resolve()}, out of {path}. Copy it."
                builder.fault(number, url, "link_outside", detail)
                continue
            nested += file.parent != folder
            builder.add(LabelledImage(url, number, (folder.name,)), "one label")
    if nested:
        builder.notes.append(
            f"{counted(nested, 'image')} in further folders: the label is the name of the outermost one."
        )
    if not number:
        raise DataError(f"{path} has no images in its folders {excerpt(builder.labels)}.")
    return builder.dataset(options.task)


def _write(images: Sequence[PlacedImage], target: Path, options: WriteOptions) -> WriteReport:
    report = WriteReport()
    linked = LinkedImages(target)
    target.mkdir(parents=True)
    for placed in images:
        (label,) = placed.image.labels
        if _can_be_folder(label):
            linked.add(placed, named(label))
        else:
            report.omissions.append(Omission(placed.image, f"No folder can be named {excerpt(label)}."))
    report.notes += linked.clashes
    return report


def _can_be_folder(label: Label) -> bool:
    name = named(label)
    return (
        name == name.strip()
        and not name.startswith(".")
        and "/" not in name
        and "\0" not in name
        and 0 < len(name.encode()) <= _MOST_NAME
    )


FORMAT = Format(
    name="folders",
    title="a folder per class",
    tasks=frozenset({"multiclass"}),
    is_folder=True,
    needs="files",
    recognises=_recognises,
    read=_read,
    write=_write,
)
