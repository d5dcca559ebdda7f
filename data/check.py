"""check: what is wrong with labelled images, and what is left of them for training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from data.checks.fault_log import IMAGE_DROPPED, REPORTED, WARNED, FaultLog
from data.checks.images import FoundImage, look_at, report_files
from data.checks.labels import labels_of, renamed, report_alike, report_rare, without_reserved
from data.checks.lines import Twice, one_line_each, usual_policy
from data.checks.objects import without_bad_objects
from data.dataset import CheckedData, CheckedImage, Dataset
from data.errors import DataRefusedError
from data.fault import Fault
from data.progress import ProgressReport
from data.record import LabelledImage
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName
from models.labels import Label
from settings.excerpt import counted


@dataclass(frozen=True, slots=True)
class FaultPolicy:
    """What is done about faults.

    With `refuse`, any fault is one too many; `most_faults` is the largest share of lines, from 0 to 1, that may be left
    out or changed. `deep` decodes all images. `twice` says which of several lines about an image counts; without it,
    that is as at the hosted service. `rename` gives labels other names. `exif` says that images are turned as their
    EXIF says, here and in training. `order_corners` mends boxes whose corners are swapped.
    """

    refuse: bool = False
    most_faults: float | None = None
    deep: bool = False
    twice: Twice | None = None
    rename: Mapping[str, Label] = field(default_factory=dict)
    exif: bool = False
    order_corners: bool = False


def check(
    dataset: Dataset, store: ImageStore, policy: FaultPolicy, report: ProgressReport | None = None
) -> CheckedData:
    """Look at all images and labels of a data set; return what is left without the faulty ones, and all faults.

    DataRefusedError, with the faults, where the policy refuses them or nothing is left. OSError where images are
    fetched and cannot be kept.
    """
    report = report or ProgressReport(quiet=True)
    fault_log = FaultLog(dataset.faults)
    images = without_reserved(renamed(dataset.images, policy.rename), fault_log)
    found = look_at(images, store, fault_log, report, deep=policy.deep)
    sizes = {url: each.facts.turned_size if policy.exif else each.facts.size for url, each in found.items()}
    images = without_bad_objects(images, dataset.task, sizes, fault_log, order_corners=policy.order_corners)
    images = [image for image in images if image.url in found]
    images = one_line_each(images, dataset.task, policy.twice or usual_policy(dataset.task), fault_log)
    report_files(images, found, fault_log, exif=policy.exif)
    report_alike(images, fault_log)
    report_rare(images, dataset.task, fault_log)
    checked = _checked(dataset.task, images, found, fault_log.by_line())
    _refuse(dataset, checked, policy)
    return checked


def leaks(
    training: CheckedData, validation: CheckedData, policy: FaultPolicy = FaultPolicy()
) -> tuple[CheckedData, tuple[Fault, ...]]:
    """Return the training data without the images that are in the validation data too, and a fault for each.

    The faults are those of the training data's lines, which it has as well. DataRefusedError, with all its faults,
    where the policy refuses them or no image is left.
    """
    held = {key: image.image for image in validation.images for key in (image.sha256, image.pixels) if key}
    fault_log = FaultLog()
    kept = []
    for each in training.images:
        other = held.get(each.sha256) or held.get(each.pixels or "")
        if other is None:
            kept.append(each)
            continue
        detail = f"The image is in the validation data too, there on line {other.line}."
        fault_log.add(each.image, "split_leak", detail, IMAGE_DROPPED)
    faults = fault_log.by_line()
    if not faults:
        return training, ()
    images = tuple(kept)
    every = tuple(sorted((*training.faults, *faults), key=lambda fault: fault.line))
    left = replace(training, images=images, labels=_labels([each.image for each in images]), faults=every)
    if not images:
        raise DataRefusedError("All images of the training data are in the validation data too.", every)
    if policy.refuse:
        raise DataRefusedError(
            f"The training data and the validation data have {counted(len(faults), 'image')} in common.", every
        )
    return left, faults


def _checked(
    task: TaskName, images: Sequence[LabelledImage], found: Mapping[str, FoundImage], faults: tuple[Fault, ...]
) -> CheckedData:
    return CheckedData(
        task,
        tuple(_checked_image(image, found[image.url]) for image in images),
        _labels(images),
        faults,
    )


def _checked_image(image: LabelledImage, place: FoundImage) -> CheckedImage:
    facts = place.facts
    return CheckedImage(image, place.file, facts.size, facts.sha256, facts.orientation, facts.pixels)


def _labels(images: Sequence[LabelledImage]) -> tuple[Label, ...]:
    # All are texts or all are numbers, which sort by code point or by value
    return tuple(sorted({label for image in images for label in labels_of(image)}))


def _refuse(dataset: Dataset, checked: CheckedData, policy: FaultPolicy) -> None:
    faults = checked.faults
    serious = [fault for fault in faults if fault.done != WARNED]
    lines = {image.line for image in dataset.images} | {fault.line for fault in faults if fault.line}
    touched = {fault.line for fault in serious if fault.line and fault.done != REPORTED}
    twice = policy.twice == "refuse" and [fault.line for fault in faults if fault.fault == "line_twice"]
    if policy.refuse and serious:
        said = (
            f"{dataset.source} has {counted(len(serious), 'fault')}. Mend them, or use --faults skip.{_first(serious)}"
        )
        raise DataRefusedError(said, faults)
    if twice:
        raise DataRefusedError(
            f"{dataset.source} has {counted(len(twice), 'line')} about images of other lines, such as line {twice[0]}. "
            "Leave one line for each image, or use --twice last or --twice merge.",
            faults,
        )
    if policy.most_faults is not None and len(touched) > policy.most_faults * len(lines):
        raise DataRefusedError(
            f"{dataset.source} has {counted(len(touched), 'faulty line')} of {len(lines):,}, left out or changed, more "
            f"than a share of {policy.most_faults:g}. Mend them, or allow a larger share.",
            faults,
        )
    if not checked.images:
        raise DataRefusedError(f"{dataset.source} has no image that can be used.{_first(serious)}", faults)
    if not checked.labels:
        raise DataRefusedError(f"No image of {dataset.source} has a label. Label some of them.", faults)


def _first(faults: Sequence[Fault]) -> str:
    """Return a sentence on the first of the faults, for those who see no list of them."""
    if not faults:
        return ""
    first = faults[0]
    line = f" on line {first.line}" if first.line else ""
    return (
        f" The first of {len(faults)}, {first.fault}{line}: {first.detail}"
        if len(faults) > 1
        else (f" It is {first.fault}{line}: {first.detail}")
    )
