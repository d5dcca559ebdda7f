"""Lines about the same image: the last one counts, or all of them together, or none."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from data.checks.boxes import without_twins
from data.checks.fault_log import FaultLog
from data.record import LabelledImage
from models.folder.manifest import TaskName

Twice = Literal["last", "merge", "refuse"]


def usual_policy(task: TaskName) -> Twice:
    """Return what the hosted service does: the last line counts, but objects of all lines are added together."""
    return "last" if task in ("multiclass", "multilabel") else "merge"


def one_line_each(
    images: Sequence[LabelledImage], task: TaskName, twice: Twice, fault_log: FaultLog
) -> list[LabelledImage]:
    """Return each image once. Faults are those of all lines but the first about an image."""
    lines = defaultdict(list)
    for image in images:
        lines[image.url].append(image)
    kept = []
    for same in lines.values():
        first, last = same[0], same[-1]
        merged = twice == "merge" and task != "multiclass"
        for image in same[1:]:
            done = f"merged with line {first.line}" if merged else f"only line {last.line} kept"
            fault_log.add(image, "line_twice", f"Line {first.line} is about the same image.", done)
        kept.append(_merged(same) if merged and len(same) > 1 else last)
    return sorted(kept, key=lambda image: image.line)


def _merged(same: Sequence[LabelledImage]) -> LabelledImage:
    """Return one image with the labels and objects of all; what is about the same object counts once."""
    labels = tuple(dict.fromkeys(label for image in same for label in image.labels))
    objects, _ = without_twins([each for image in same for each in image.objects])
    return replace(same[0], labels=labels, objects=tuple(objects), confidences=())
