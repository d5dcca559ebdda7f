"""python -m data show: contact sheets, charts and a page of a data set, with its faults in red."""

import argparse
import sys
from pathlib import Path

from data.check import FaultPolicy, check
from data.command import Command
from data.dataset import CheckedData, Dataset
from data.drawing.gallery import Gallery, write_gallery
from data.drawing.shown_image import ShownImage, sampled, shown_images
from data.drawing.statistics import count_images
from data.errors import DataError, DataRefusedError
from data.headers import size_finder
from data.progress import ProgressReport
from data.reading import FORMATS, read_dataset
from data.sources.image_store import ImageStore
from data.sources.options import add_source_options, image_store
from models.labels import named
from models.labels import shown as listed

_IMAGES = 96
_MOST_LABELS = 20
_TASKS = ("multiclass", "multilabel", "detection", "segmentation")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="labelled images in any format that is read")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write; default: show/NAME of the file")
    parser.add_argument(
        "--images", type=_count, default=_IMAGES, metavar="N", help=f"how many images to show; default: {_IMAGES}"
    )
    parser.add_argument("--label", action="append", default=[], metavar="LABEL", help="show images with this label")
    parser.add_argument("--only-faults", action="store_true", help="show images with faults alone")
    parser.add_argument("--task", choices=_TASKS, help="what they are labelled for; without it, the labels decide")
    parser.add_argument("--format", choices=sorted(FORMATS), help="without it, the format is recognised")
    parser.add_argument("--label-column", default="label", metavar="NAME", help="key or column of the labels")
    parser.add_argument("--exif", action="store_true", help="images are turned as their EXIF says, also in training")
    add_source_options(parser)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {value}")
    return value


def _run(options: argparse.Namespace) -> int:
    report = ProgressReport()
    folder = options.file if options.file.is_dir() else options.file.parent
    dataset = read_dataset(
        options.file,
        task=options.task,
        format=options.format,
        label_column=options.label_column,
        size_of=size_finder(image_store(options, folder)),
    )
    store = image_store(options, dataset.folder)
    checked = _checked(dataset, store, report, exif=options.exif)
    everything = shown_images(dataset, checked.images, checked.faults)
    fitting = _fitting(everything, options)
    chosen = sampled(fitting, options.images)
    gallery = Gallery(
        options.file.name or str(options.file),
        count_images(dataset.task, checked.images, exif=options.exif),
        checked.faults,
        chosen,
        len(everything),
        _choice(len(chosen), len(fitting), len(everything), options),
        exif=options.exif,
    )
    out = options.out or Path("show", options.file.stem or "data")
    page = write_gallery(gallery, store, out, report)
    print(page)
    print(f"{len(chosen)} of {len(everything)} images shown, {len(checked.faults)} faults", file=sys.stderr)
    return 0


def _checked(dataset: Dataset, store: ImageStore, report: ProgressReport, *, exif: bool) -> CheckedData:
    """Return what is left of a data set, and nothing but its faults where that is nothing: they are worth a look."""
    try:
        return check(dataset, store, FaultPolicy(exif=exif), report)
    except DataRefusedError as error:
        return CheckedData(dataset.task, (), (), tuple(error.faults))


def _fitting(images: list[ShownImage], options: argparse.Namespace) -> list[ShownImage]:
    found = [each for each in images if each.faults or not options.only_faults]
    if not options.label:
        return found
    known = {named(label) for each in images for label in each.labels}
    for label in options.label:
        if label not in known:
            raise DataError(f"No image has the label {label!r}. Labels: {listed(sorted(known), _MOST_LABELS)}.")
    return [each for each in found if {named(label) for label in each.labels} & set(options.label)]


def _choice(chosen: int, fitting: int, total: int, options: argparse.Namespace) -> str:
    kinds = ["with faults"] * options.only_faults
    kinds += [f"with the label {' or '.join(options.label)}"] * bool(options.label)
    what = f"{fitting:,} images {' and '.join(kinds)} (of {total:,})" if kinds else f"{fitting:,} images"
    if chosen == fitting:
        return f"All {what}."
    return f"{chosen:,} of {what}: one of each label, rare labels first, then others in the order of a hash."


COMMAND = Command("show", "draw labelled images on contact sheets and a page", _configure, _run)
