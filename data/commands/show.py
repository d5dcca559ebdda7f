"""python -m data show: contact sheets, charts and a page of a data set, with its faults in red."""

import argparse
import sys
from pathlib import Path

from data.check import FaultPolicy, check
from data.command import Command
from data.command_line.options import add_reading_options, read
from data.dataset import CheckedData, Dataset
from data.drawing.gallery import Gallery, write_gallery
from data.drawing.shown_image import ShownImage, sampled, shown_images
from data.drawing.statistics import count_images
from data.errors import DataError, DataRefusedError
from data.progress import ProgressReport
from data.sources.image_store import ImageStore
from models.labels import named
from models.labels import shown as listed
from settings.excerpt import counted

_IMAGES = 96
_MOST_LABELS = 20


def _configure(parser: argparse.ArgumentParser) -> None:
    add_reading_options(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: show/NAME of the file)")
    parser.add_argument(
        "--images", type=_count, default=_IMAGES, metavar="N", help=f"how many images to show (default: {_IMAGES})"
    )
    parser.add_argument("--label", action="append", default=[], metavar="LABEL", help="show images with this label")
    parser.add_argument("--only-faults", action="store_true", help="show images with faults alone")
    parser.add_argument("--exif", action="store_true", help="images are turned by their EXIF, here and in training")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {value}")
    return value


def _run(options: argparse.Namespace) -> int:
    report = ProgressReport()
    dataset, store = read(options.file, options)
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
    print(
        f"{len(chosen):,} of {counted(len(everything), 'image')} shown, {counted(len(checked.faults), 'fault')}",
        file=sys.stderr,
    )
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
    what = counted(fitting, "image") + (f" {' and '.join(kinds)} (of {total:,})" if kinds else "")
    if chosen == fitting:
        return f"All {what}."
    return f"{chosen:,} of {what}: one of each label, rare labels first, then others in the order of a hash."


COMMAND = Command("show", "draw labelled images on contact sheets and a page", _configure, _run)
