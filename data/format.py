"""Format: how one kind of file or folder of labelled images is recognised, read and written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data.dataset import Dataset
from data.record import LabelledImage
from models.folder.manifest import TaskName
from models.labels import Label

Size = tuple[int, int]
SizeFinder = Callable[[str], Size | None]
"""Returns the (width, height) of the image at a URL, from the header of its file; None where that cannot be had."""


def no_size(url: str) -> Size | None:
    """Return that the size of an image is unknown: the SizeFinder of those who have no images."""
    return None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may be told.

    Without a `task`, the labels decide it. `label_column` names the key or column of labels, `voc_origin` the
    coordinate of the first pixel in Pascal VOC, 0 or 1. Formats whose boxes are in pixels ask `size_of` for the sizes
    that they do not tell themselves.
    """

    task: TaskName | None = None
    label_column: str = "label"
    voc_origin: int = 0
    size_of: SizeFinder = no_size


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """An image to be written: `file` is where its bytes are, `size` (width, height) what its header says.

    Both are None where the image was not found, or where the format does not need them.
    """

    image: LabelledImage
    file: Path | None = None
    size: Size | None = None


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a writer may be told.

    `task` is what the images are labelled for, `labels` are all that occur in the order to number them, `voc_origin`
    is the coordinate of the first pixel in Pascal VOC, 0 or 1.
    """

    task: TaskName
    labels: tuple[Label, ...] = ()
    voc_origin: int = 0


@dataclass(frozen=True, slots=True)
class Omission:
    """Something that was left out: `objects` of an image, or all of it where that is None, and why.

    `fault` is a code as those of Fault, the reason whole sentences.
    """

    image: LabelledImage
    reason: str
    objects: int | None = None
    fault: str = "not_in_format"


@dataclass(slots=True)
class WriteReport:
    """What a writer left out, and sentences about what it had to change."""

    omissions: list[Omission] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    `tasks` are those that it can hold. `recognises` looks at a path, and into it, without reading all of it. `read`
    reports bad lines and annotations as faults and goes on; it raises DataError where nothing can be read. `write`
    writes to a path that does not exist: a folder or a file, as `is_folder` says. It needs of each image what `needs`
    names: its size, or its file, which includes the size. `is_turned` says that boxes are for images as EXIF turns
    them, whatever others take them for.
    """

    name: str
    title: str
    tasks: frozenset[TaskName]
    is_folder: bool
    needs: Literal["nothing", "sizes", "files"]
    recognises: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Dataset]
    write: Callable[[Sequence[PlacedImage], Path, WriteOptions], WriteReport]
    is_turned: bool = False
