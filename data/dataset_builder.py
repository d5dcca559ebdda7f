"""DatasetBuilder: collects the images of a format, then decides what they are labelled for."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeGuard

from data.dataset import Dataset
from data.fault import Fault
from data.record import LabelledImage
from models.folder.manifest import TaskName
from models.labels import Label
from settings.excerpt import shortened

LabelForm = Literal["one label", "a list of labels", "boxes", "outlines", "an empty list"]

_TASKS: dict[LabelForm, tuple[TaskName, ...]] = {
    "one label": ("multiclass",),
    "a list of labels": ("multilabel",),
    "boxes": ("detection",),
    "outlines": ("segmentation", "detection"),
    "an empty list": ("multilabel", "detection", "segmentation"),
}
_EXPECTED: dict[TaskName, str] = {
    "multiclass": "one label, a text or a whole number",
    "multilabel": "a list of labels",
    "detection": "a list of objects with boxes or polygons",
    "segmentation": "a list of objects with polygons",
}
_MOST_DETAIL = 400  # characters
DROPPED = "image dropped"


@dataclass(slots=True)
class DatasetBuilder:
    """The images and faults of a data set that is being read."""

    source: Path
    folder: Path
    images: list[LabelledImage] = field(default_factory=list)
    forms: list[LabelForm] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    emptied: dict[int, str] = field(default_factory=dict)
    """The URL, by line, of each image that has lost all its objects."""

    def add(self, image: LabelledImage, form: LabelForm) -> None:
        """Add an image whose labels have a form."""
        self.images.append(image)
        self.forms.append(form)

    def add_objects(self, image: LabelledImage, given: int) -> None:
        """Add an image for which the file has `given` objects.

        Where none of them could be used, the image is dropped: what it shows is unknown, so it is no background.
        """
        if given and not image.objects:
            self.emptied[image.line] = image.url
            return
        outlined = all(each.polygons or each.mask is not None for each in image.objects)
        self.add(image, "an empty list" if not image.objects else "outlines" if outlined else "boxes")

    def fault(self, line: int, image: str, fault: str, detail: str, done: str = DROPPED) -> None:
        """Add a fault; details of many characters are cut short."""
        self.faults.append(Fault(line, image, fault, shortened(detail, _MOST_DETAIL), done))

    def dataset(self, task: TaskName | None) -> Dataset:
        """Return the images whose labels are for `task`, which most of them decide where it is None.

        Others become `label_form` faults, as do those whose labels are numbers where most are texts, or the reverse.
        """
        task = task or self._usual_task()
        kept = []
        for image, form in zip(self.images, self.forms, strict=True):
            if task in _TASKS[form]:
                kept.append(image)
            else:
                self.fault(
                    image.line,
                    image.url,
                    "label_form",
                    f"The image has {form}; expected {_EXPECTED[task]}, as in {task}.",
                )
        kept = self._of_one_kind(kept)
        self._drop_emptied()
        self.faults.sort(key=lambda fault: fault.line)
        labels, notes = tuple(self.labels), tuple(self.notes)
        return Dataset(task, tuple(kept), self.source, self.folder, tuple(self.faults), labels, notes)

    def _drop_emptied(self) -> None:
        """Say of the faults of images that have lost all objects that the image is dropped."""
        told = {fault.line for fault in self.faults}
        for line in self.emptied.keys() - told:
            self.fault(line, self.emptied[line], "label_form", "None of the objects of the image can be used.")
        self.faults = [replace(fault, done=DROPPED) if fault.line in self.emptied else fault for fault in self.faults]

    def _usual_task(self) -> TaskName:
        counts = Counter(self.forms)
        objects = counts["boxes"] + counts["outlines"]
        names = {"multiclass": counts["one label"], "multilabel": counts["a list of labels"], "objects": objects}
        most = max(names, key=lambda name: names[name])
        if most == "objects" or not names[most]:
            return "segmentation" if counts["outlines"] > counts["boxes"] else "detection"
        return "multiclass" if most == "multiclass" else "multilabel"

    def _of_one_kind(self, images: list[LabelledImage]) -> list[LabelledImage]:
        """Return images whose labels are all texts, or all numbers: what most images have."""
        kinds = [_kind(image) for image in images]
        counts = Counter(kinds)
        if len(counts.keys() - {None}) < 2:
            return images
        usual = str if counts[str] >= counts[int] else int
        names: dict[type | None, str] = {str: "texts", int: "whole numbers", object: "both texts and numbers"}
        for image, kind in zip(images, kinds, strict=True):
            if kind not in (usual, None):
                self.fault(
                    image.line,
                    image.url,
                    "label_form",
                    f"The labels are {names[kind]}, where those of most images are {names[usual]}. Write all alike.",
                )
        return [image for image, kind in zip(images, kinds, strict=True) if kind in (usual, None)]


def _kind(image: LabelledImage) -> type | None:
    """Return str or int, `object` where the labels of an image are of both kinds, None where it has none."""
    kinds = {type(label) for label in image.labels} | {type(each.label) for each in image.objects}
    return (kinds.pop() if len(kinds) == 1 else object) if kinds else None


def is_label(value: object) -> TypeGuard[Label]:
    """Return whether a value is a text, or a whole number of 64 bits, as labels are."""
    return type(value) is str or (type(value) is int and -(2**63) <= value < 2**63)
