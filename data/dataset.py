"""Dataset: labelled images as they were read, before they are checked; CheckedData: what is left after that."""

from dataclasses import dataclass
from pathlib import Path

from data.fault import Fault
from data.record import LabelledImage
from models.folder.manifest import TaskName
from models.labels import Label


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a reader found.

    `source` is the file or folder that was read, `folder` what relative URLs are relative to. `faults` are those that
    only a reader can see, such as lines that are no JSON. `labels` are those that the format lists, in its order, used
    or not; `notes` are sentences about what the reader took for granted.
    """

    task: TaskName
    images: tuple[LabelledImage, ...]
    source: Path
    folder: Path
    faults: tuple[Fault, ...] = ()
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image that exists, with its faults mended.

    `file` is where its bytes are on this machine, `size` its (width, height) in pixels as stored, `sha256` the hash of
    its bytes in hexadecimal, `orientation` what EXIF says about turning it, from 1 to 8. `pixels` is the hash of its
    pixels, where they were looked at.
    """

    image: LabelledImage
    file: Path
    size: tuple[int, int]
    sha256: str
    orientation: int = 1
    pixels: str | None = None


@dataclass(frozen=True, slots=True)
class CheckedData:
    """What training may use. `labels` are all that occur, sorted by code point, or by value where they are numbers."""

    task: TaskName
    images: tuple[CheckedImage, ...]
    labels: tuple[Label, ...]
    faults: tuple[Fault, ...] = ()
