"""A text file of YOLO: an object a line, its class and a box or a polygon as shares of the image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.encodings.numbers import all_finite
from data.outlines import hull, joined_outlines
from data.record import LabelledObject, Outline
from data.yolo.class_names import ClassNames
from settings.excerpt import excerpt

_MOST_BYTES = 2**26
_BOX, _BOX_AND_SCORE = 4, 5
_FEWEST_NUMBERS = 6  # of a polygon

ReportFault = Callable[[str, str], None]
"""Takes the code of a fault and its detail."""


def read_objects(file: Path, names: ClassNames, report: ReportFault) -> tuple[list[LabelledObject], int]:
    """Return the objects of a file, and how many lines it has; OSError where it cannot be read."""
    if file.stat().st_size > _MOST_BYTES:
        report("line_unreadable", f"{file.name} has more than {_MOST_BYTES} bytes.")
        return [], 1
    objects, count = [], 0
    for number, line in enumerate(file.read_text("utf-8-sig", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        count += 1
        try:
            objects.append(_object(words, names))
        except _LineFormError as error:
            report(error.fault, f"Line {number} of {file.name}: {error}.")
    return objects, count


class _LineFormError(Exception):
    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


def _object(words: list[str], names: ClassNames) -> LabelledObject:
    number = all_finite(words[:1])
    label = names.label(int(number[0])) if number and number[0] == int(number[0]) >= 0 else None
    if label is None:
        known = f"one of the {len(names.labels)} in {names.file.name}" if names.file else "a whole number"
        raise _LineFormError("label_form", f"its class is {excerpt(words[0])}; expected {known}")
    values = all_finite(words[1:])
    if values is None:
        raise _LineFormError("box_not_number", f"{excerpt(' '.join(words))} are not all numbers")
    if names.keypoints:
        values = values[:_BOX]
    if len(values) in (_BOX, _BOX_AND_SCORE):
        across, down, width, height = values[:_BOX]
        return LabelledObject(label, (across - width / 2, down - height / 2, across + width / 2, down + height / 2))
    if len(values) < _FEWEST_NUMBERS or len(values) % 2:
        raise _LineFormError(
            "polygon_odd", f"it has {len(values)} numbers after its class; expected 4, or 6 and more by twos"
        )
    return LabelledObject(label, hull([values]), (values,))


def object_line(number: int, each: LabelledObject, outlines: tuple[Outline, ...] | None) -> str:
    """Return the line of an object: a polygon where `outlines` are given, which become one, else its box."""
    if outlines is not None:
        return f"{number} {' '.join(map(repr, joined_outlines(outlines)))}\n"
    left, top, right, bottom = each.box
    values = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    return f"{number} {' '.join(map(repr, np.asarray(values).tolist()))}\n"
