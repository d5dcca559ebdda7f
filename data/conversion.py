"""Conversion: labelled images from one format to another, all or nothing, with an account of what was left out."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from data.dataset import Dataset
from data.errors import DataError, ImageUnavailableError
from data.format import Format, Omission, PlacedImage, WriteOptions, WriteReport
from data.layout.placing import ImagePlacing, PlacingNeeds
from data.progress import ProgressReport
from data.record import LabelledImage
from data.sources.image_store import ImageStore
from models.folder.manifest import TaskName
from models.labels import Label


@dataclass(slots=True)
class Conversion:
    """What became of a data set. `kept` are the images that were written, `report` says what was not, and why."""

    task: TaskName
    kept: list[LabelledImage]
    report: WriteReport = field(default_factory=WriteReport)

    @property
    def objects(self) -> int:
        """How many objects were written."""
        left_out = sum(each.objects or 0 for each in self.report.omissions)
        return sum(len(image.objects) for image in self.kept) - left_out

    @property
    def backgrounds(self) -> int:
        """How many images without objects, or without labels, were written."""
        return sum(not image.objects and not image.labels for image in self.kept)


def convert(
    dataset: Dataset,
    target: Path,
    form: Format,
    store: ImageStore,
    *,
    voc_origin: int = 0,
    is_turned: bool = False,
    exif: bool = False,
    report: ProgressReport | None = None,
) -> Conversion:
    """Write a data set in another format to a path that does not exist, or nothing at all.

    `is_turned` is that of the format that was read. With `exif`, all formats are taken to be for turned images.
    DataError where the path exists or cannot be written, or the format has no place for what is labelled.
    """
    if target.exists() or target.is_symlink():
        raise DataError(f"{target} exists. Name a path that does not, or remove it.")
    task = _task(dataset.task, form)
    conversion = Conversion(task, [])
    if task != dataset.task:
        conversion.report.notes.append(f"{form.title} has boxes alone, so outlines were left out.")
    in_image = task in ("detection", "segmentation")
    needs = PlacingNeeds(
        form.needs == "files",
        in_image and form.needs != "nothing",
        in_image and (exif or is_turned),
        in_image and (exif or form.is_turned),
    )
    placing = ImagePlacing(dataset.folder, target if form.is_folder else target.parent, needs, store)
    placed: list[PlacedImage] = []
    for image in (report or ProgressReport(quiet=True)).each(dataset.images, "finding images"):
        try:
            placed.append(placing.place(image))
        except ImageUnavailableError as error:
            conversion.report.omissions.append(Omission(image, str(error), fault=error.fault))
    if not placed:
        raise DataError(f"No image of {dataset.source} can be written as {form.title}.")
    written = _write(placed, target, form, WriteOptions(task, _labels(dataset), voc_origin))
    conversion.report.omissions += written.omissions
    conversion.report.notes += written.notes
    left_out = {id(each.image) for each in written.omissions if each.objects is None}
    conversion.kept = [each.image for each in placed if id(each.image) not in left_out]
    return conversion


def _task(task: TaskName, form: Format) -> TaskName:
    if task in form.tasks:
        return task
    if task == "segmentation" and "detection" in form.tasks:
        return "detection"
    raise DataError(f"{form.title} has no place for {task}, only for {' and '.join(sorted(form.tasks))}.")


def _labels(dataset: Dataset) -> tuple[Label, ...]:
    """Return all labels: those that the format listed in their order, then others, sorted."""
    labels = {label for image in dataset.images for label in image.labels}
    labels |= {each.label for image in dataset.images for each in image.objects}
    return (*dataset.labels, *sorted(labels - set(dataset.labels)))


def _write(placed: Sequence[PlacedImage], target: Path, form: Format, options: WriteOptions) -> WriteReport:
    """Write to a name of its own beside the target, then rename it."""
    growing = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        report = form.write(placed, growing, options)
        _save(growing, target)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror or error}. Nothing was left there.") from None
    except ValueError as error:
        raise DataError(f"{target} cannot be written: {error}.") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(growing) if growing.is_dir() else growing.unlink(missing_ok=True)
    return report


def _save(growing: Path, target: Path) -> None:
    """Have what was written on the disk before it gets its name; OSError where another process has taken that."""
    if growing.is_dir():
        os.sync()  # one call for many small files
        growing.rename(target)
        return
    with growing.open("rb") as stream:
        os.fsync(stream.fileno())
    os.link(growing, target)
