"""The options of commands that read labelled images and check them, and what they say."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any, get_args

from data.check import FaultPolicy
from data.dataset import Dataset
from data.errors import DataError
from data.reading import FORMATS
from data.sources.image_store import ImageStore
from data.sources.located_reading import read_located
from data.sources.mapping_file import read_mapping
from data.sources.options import add_source_options, image_store
from models.folder.manifest import TaskName
from models.labels import Label
from settings.excerpt import excerpt

_FORMATS = ", ".join(sorted(FORMATS))
_TASKS = ", ".join(get_args(TaskName))


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add FILE, what is in it, and where its images are."""
    parser.add_argument("file", type=Path, metavar="FILE", help="labelled images: a file or folder in any format")
    group = parser.add_argument_group("what FILE is")
    group.add_argument("--format", choices=sorted(FORMATS), metavar="NAME", help=f"{_FORMATS} (default: as recognised)")
    add_label_options(group)
    add_source_options(parser)


def add_label_options(group: Any) -> None:
    """Add what the labels are for, and where they stand, to a parser or a group."""
    group.add_argument(
        "--task", choices=get_args(TaskName), metavar="TASK", help=f"{_TASKS} (default: what most labels are for)"
    )
    group.add_argument(
        "--label-column", default="label", metavar="NAME", help="the key or column with the labels (default: label)"
    )


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add what is done about faults."""
    group = parser.add_argument_group("what is done about faults")
    add_refusal_options(group)
    group.add_argument(
        "--twice",
        choices=("last", "merge", "refuse"),
        help="which of several lines about an image counts (default: the last for labels, all for boxes and masks)",
    )
    group.add_argument(
        "--rename", type=Path, metavar="FILE", help="JSON or YAML with a new name for each of some labels"
    )
    group.add_argument("--exif", action="store_true", help="images are turned by their EXIF, here and in training")
    group.add_argument("--order-corners", action="store_true", help="mend boxes whose corners are swapped")


def add_refusal_options(group: Any) -> None:
    """Add how many faults are too many, and how closely images are looked at, to a parser or a group."""
    group.add_argument(
        "--faults",
        choices=("skip", "refuse"),
        default="skip",
        help="leave out what is faulty, or refuse all (default: skip)",
    )
    group.add_argument(
        "--most-faults",
        type=share,
        metavar="SHARE",
        help="refuse where more of the lines, from 0 to 1, are left out or changed",
    )
    group.add_argument(
        "--deep", action="store_true", help="decode all images, to find damaged ones and those with the same pixels"
    )


def share(text: str) -> float:
    """Return a number from 0 to 1; argparse.ArgumentTypeError for another."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{excerpt(text)} is no number from 0 to 1")
    return value


def fault_policy(options: argparse.Namespace) -> FaultPolicy:
    """Return what is done about faults; DataError where the file of new names cannot be used."""
    return FaultPolicy(
        refuse=options.faults == "refuse",
        most_faults=options.most_faults,
        deep=options.deep,
        twice=options.twice,
        rename=_names(options.rename) if options.rename else {},
        exif=options.exif,
        order_corners=options.order_corners,
    )


def read(file: Path, options: argparse.Namespace) -> tuple[Dataset, ImageStore]:
    """Read labelled images; return where their images are looked for, too. DataError where nothing can be read."""
    stores = partial(image_store, options)
    return read_located(file, stores, task=options.task, format=options.format, label_column=options.label_column)


def _names(file: Path) -> dict[str, Label]:
    names = read_mapping(file, 'the new name of labels by their old one, such as {"Can": "can"}')
    for new in names.values():
        if isinstance(new, bool) or not isinstance(new, (str, int)):
            raise DataError(f"{file} has {excerpt(new)} as the name of a label. Give a text or a whole number.")
    return names
