"""The images of a summary: each once, with its labels and boxes where there are any."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from data.checks.fault_log import WARNED, FaultLog
from data.checks.images import FoundImage, look_at
from data.checks.labels import labels_of
from data.checks.objects import without_bad_objects
from data.dataset import Dataset
from data.errors import DataError
from data.fault import Fault
from data.layout.listing import images_below
from data.progress import ProgressReport
from data.reading import FORMATS
from data.record import LabelledImage, LabelledObject
from data.sources.image_store import ImageStore
from models.labels import named
from settings.excerpt import shortened

Reader = Callable[[Path], tuple[Dataset, ImageStore]]
"""Reads labelled images in one of the formats; DataError where they cannot be read."""

_MOST_NAME = 160  # characters; an image in its own URL has millions


@dataclass(frozen=True, slots=True)
class SummaryImage:
    """One image, however often it is in the data.

    `name` and `line` are the URL and the place that it has first, `size` its (width, height) in pixels as stored,
    `orientation` what EXIF says about turning it, from 1 to 8. `labels` are names, those of its objects included.
    """

    name: str
    line: int
    file: Path
    sha256: str
    size: tuple[int, int]
    orientation: int
    labels: tuple[str, ...] = ()
    objects: tuple[LabelledObject, ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryData:
    """Images in the order of the hashes of their bytes, which is random and the same everywhere, and what was faulty.

    `repeated` counts those that are the same as others.
    """

    images: tuple[SummaryImage, ...]
    faults: tuple[Fault, ...]
    repeated: int

    @property
    def labels(self) -> frozenset[str]:
        """The names of all labels."""
        return frozenset(label for image in self.images for label in image.labels)


def read_images(path: Path, read: Reader, *, labelled: bool = False) -> SummaryData:
    """Return the images of a file or folder that `read` can read, or of a folder of images that nobody has labelled.

    `labelled` says that it is none of the latter. What is faulty is left out; DataError where nothing can be read, or
    nothing is left.
    """
    dataset, store = _unlabelled(path) if not labelled and _is_unlabelled(path) else read(path)
    fault_log = FaultLog(dataset.faults)
    found = look_at(dataset.images, store, fault_log, ProgressReport(), deep=False)
    sizes = {url: each.facts.size for url, each in found.items()}
    images = without_bad_objects(dataset.images, dataset.task, sizes, fault_log, order_corners=False)
    faults = tuple(fault for fault in fault_log.by_line() if fault.done != WARNED)
    merged: dict[str, SummaryImage] = {}
    located = [image for image in images if image.url in found]
    for image in located:
        one = _summary_image(image, found[image.url])
        merged[one.sha256] = _merged(merged[one.sha256], one) if one.sha256 in merged else one
    if not merged:
        first = f" The first of {len(faults)}, {faults[0].fault}: {faults[0].detail}" if faults else ""
        raise DataError(f"{path} has no image that can be used.{first}")
    ordered = tuple(merged[sha256] for sha256 in sorted(merged))
    return SummaryData(ordered, faults, len(located) - len(ordered))


def _is_unlabelled(path: Path) -> bool:
    return path.is_dir() and not any(each.recognises(path) for each in FORMATS.values())


def _unlabelled(path: Path) -> tuple[Dataset, ImageStore]:
    names = [file.relative_to(path).as_posix() for file in images_below(path)]
    if not names:
        raise DataError(f"{path} has no images. Give a folder of images, or a file or folder of labelled images.")
    images = tuple(LabelledImage(name, number) for number, name in enumerate(names, 1))
    return Dataset("multiclass", images, path, path), ImageStore(path)


def _summary_image(image: LabelledImage, found: FoundImage) -> SummaryImage:
    facts = found.facts
    return SummaryImage(
        shortened(image.url, _MOST_NAME),
        image.line,
        found.file,
        facts.sha256,
        facts.size,
        facts.orientation,
        tuple(dict.fromkeys(map(named, labels_of(image)))),
        image.objects,
    )


def _merged(first: SummaryImage, other: SummaryImage) -> SummaryImage:
    return replace(
        first,
        labels=tuple(dict.fromkeys((*first.labels, *other.labels))),
        objects=tuple(dict.fromkeys((*first.objects, *other.objects))),
    )
