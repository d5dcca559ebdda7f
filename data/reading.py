"""Reads labelled images of any format, which it recognises by what is in the file or folder."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from data import formats
from data.dataset import Dataset
from data.errors import DataError
from data.format import Format, ReadOptions, SizeFinder, no_size
from models.discovery import constants
from models.folder.manifest import TaskName

FORMATS: Mapping[str, Format] = {found.name: found for _, found in constants(formats, "FORMAT")}


def read_dataset(
    path: Path,
    *,
    task: TaskName | None = None,
    format: str | None = None,  # noqa: A002 - what users call it
    label_column: str = "label",
    voc_origin: int = 0,
    size_of: SizeFinder = no_size,
) -> Dataset:
    """Read a file or folder of labelled images.

    Without a `format` it is recognised; without a `task` most of the labels decide. `label_column` is the key or
    column of labels, `voc_origin` the coordinate of the first pixel in Pascal VOC, 0 or 1. `size_of` gives the sizes
    of images to formats whose boxes are in pixels. Bad lines become faults; DataError where nothing can be read.
    """
    chosen = named_format(format) if format else recognised(path)
    return chosen.read(path, ReadOptions(task, label_column, voc_origin, size_of))


def named_format(name: str) -> Format:
    """Return a format by its name; DataError, with names like it, where there is none."""
    if name not in FORMATS:
        close = get_close_matches(name, FORMATS, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"There is no format {name!r}. Known: {', '.join(FORMATS)}.{hint}")
    return FORMATS[name]


def recognised(path: Path) -> Format:
    """Return the format of a file or folder; DataError where it does not exist or fits none, or several."""
    if not path.exists():
        raise DataError(f"{path} does not exist. Give a file or folder of labelled images.")
    found = [each for each in FORMATS.values() if each.recognises(path)]
    if not found:
        titles = ", ".join(each.title for each in FORMATS.values())
        raise DataError(f"{path} is in none of the formats {titles}. Name one of {', '.join(FORMATS)} if it is.")
    if len(found) > 1:
        names = " or ".join(each.name for each in found)
        raise DataError(f"{path} may be {names}. Name the format that it has.")
    return found[0]
