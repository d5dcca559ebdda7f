"""The labels of a data set: reserved ones, those that differ by their spelling alone, and rare ones."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from data.checks.fault_log import IMAGE_DROPPED, OBJECT_DROPPED, REPORTED, WARNED, FaultLog
from data.errors import DataError
from data.record import LabelledImage
from models.folder.manifest import TaskName
from models.labels import Label, named, shown
from settings.excerpt import counted

BACKGROUND = "--bg--"
"""What the hosted service calls the background, as the first class of its detectors."""

_FEW_IMAGES = 10
_SHARE = 10  # a rare label has at most one image for as many of the most frequent label
_MOST_NAMED = 10


def labels_of(image: LabelledImage) -> tuple[Label, ...]:
    """Return the labels of an image and of its objects, each once."""
    return tuple(dict.fromkeys((*image.labels, *(each.label for each in image.objects))))


def renamed(images: Sequence[LabelledImage], names: Mapping[str, Label]) -> list[LabelledImage]:
    """Return the images with other names for some labels; two may get the same.

    DataError where texts and numbers would be mixed then.
    """
    if not names:
        return list(images)

    def name(label: Label) -> Label:
        return names.get(named(label), label)

    found = [
        replace(
            image,
            labels=tuple(dict.fromkeys(map(name, image.labels))),
            objects=tuple(replace(each, label=name(each.label)) for each in image.objects),
            confidences=image.confidences if len(set(map(name, image.labels))) == len(image.labels) else (),
        )
        for image in images
    ]
    if len({type(label) for image in found for label in labels_of(image)}) > 1:
        raise DataError("With the new names, some labels are texts and others numbers. Rename to one kind of label.")
    return found


def without_reserved(images: Sequence[LabelledImage], fault_log: FaultLog) -> list[LabelledImage]:
    """Return the images without reserved labels; objects that have one are left out, and so are images of no others."""
    kept = []
    for image in images:
        wrong = [label for label in labels_of(image) if _is_reserved(label)]
        if not wrong:
            kept.append(image)
            continue
        left = tuple(each for each in image.objects if not _is_reserved(each.label))
        done = OBJECT_DROPPED if left else IMAGE_DROPPED
        for label in wrong:
            what = "stands for the background" if label == BACKGROUND else "has no character"
            fault_log.add(image, "label_reserved", f"The label {label!r} {what}. Give it a name of its own.", done)
        if left:
            kept.append(replace(image, objects=left))
    return kept


def _is_reserved(label: Label) -> bool:
    return isinstance(label, str) and (label == BACKGROUND or not label.strip())


def report_alike(images: Sequence[LabelledImage], fault_log: FaultLog) -> None:
    """Report labels that differ only in case, in spaces around them or in how Unicode writes them."""
    counts = _image_counts(images)
    groups = defaultdict(list)
    for label in counts:
        groups[_folded(label)].append(label)
    usual: dict[Label, Label] = {}
    for group in groups.values():
        most = max(group, key=lambda label: (counts[label], named(label)))
        usual |= {label: most for label in group if label != most}
    for image in images:
        for label in labels_of(image) if usual else ():
            if label in usual:
                most = usual[label]
                # what differs in how Unicode writes it alone would look the same
                quoted = ascii if _composed(label) == _composed(most) else repr
                fault_log.add(
                    image,
                    "label_alike",
                    f"{quoted(label)} ({counted(counts[label], 'image')}) is like {quoted(most)} "
                    f"({counted(counts[most], 'image')}), and another label. Write them alike, or use --rename.",
                )


def report_rare(images: Sequence[LabelledImage], task: TaskName, fault_log: FaultLog) -> None:
    """Report labels of few images, and say where there are few images or there is one label only."""
    counts = Counter(folded for image in images for folded in {_folded(label) for label in labels_of(image)})
    most = max(counts.values(), default=0)
    few = [folded for folded, count in counts.items() if count < _FEW_IMAGES]
    rare = {folded for folded in few if counts[folded] * _SHARE <= most}
    for image in images:
        for label in labels_of(image) if rare else ():
            if (folded := _folded(label)) in rare:
                only = counts[folded] == 1
                share = counted(counts[folded], "image")
                detail = f"The label {label!r} has {share}. Add at least {_FEW_IMAGES}, or leave it out."
                fault_log.add(image, "label_rare", detail, REPORTED if only else WARNED)
    if others := sorted({label for image in images for label in labels_of(image) if _folded(label) in few}, key=named):
        others = [label for label in others if _folded(label) not in rare]
        if others:
            names = shown(others, _MOST_NAMED)
            fault_log.about_all("label_rare", f"Labels with fewer than {_FEW_IMAGES} images each: {names}. Add some.")
    if 0 < len(images) < _FEW_IMAGES:
        fault_log.about_all(
            "images_few", f"The data set has {counted(len(images), 'image')}; at least {_FEW_IMAGES} are advised."
        )
    if len(counts) == 1 and task == "multiclass":
        fault_log.about_all("label_single", "All images have the same label, so that there is nothing to tell apart.")


def _image_counts(images: Sequence[LabelledImage]) -> Counter[Label]:
    return Counter(label for image in images for label in labels_of(image))


def _folded(label: Label) -> str:
    return unicodedata.normalize("NFC", _composed(label).strip().casefold())


def _composed(label: Label) -> str:
    return unicodedata.normalize("NFC", named(label))
