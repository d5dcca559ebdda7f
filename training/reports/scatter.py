"""A plot of labels by their precision and recall: which are missed, and which are seen where they are not."""

from collections.abc import Mapping

from data.drawing.axes import TEXT, Scale, draw_columns, draw_rows, shown_number, ticks
from data.drawing.colours import label_colour
from data.drawing.vector_drawing import VectorDrawing, text_width

_SIDE, _LEFT, _TOP, _BOTTOM, _RIGHT = 300, 56, 40, 50, 60
_MOST_NAMED = 30


def draw_precision_recall(points: Mapping[str, tuple[float, float]]) -> VectorDrawing:
    """Draw a dot for each label at its (precision, recall), both in [0, 1]; names stand beside dots where they fit."""
    title = "Precision and recall by label"
    drawing = VectorDrawing(_LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM, title)
    drawing.text((0, 14), title, size=15, bold=True)
    low = min((value for both in points.values() for value in both), default=0.0)
    start = max(0.0, int(low * 10 - 0.5) / 10)
    across, up = Scale(start, 1.0, _LEFT, _LEFT + _SIDE), Scale(start, 1.0, _TOP + _SIDE, _TOP)
    marks = ticks(start, 1.0, 6)
    draw_rows(drawing, up, marks, _LEFT, _LEFT + _SIDE)
    for mark in marks:
        drawing.line([(across.at(mark), _TOP), (across.at(mark), _TOP + _SIDE)], "grid")
    draw_columns(drawing, [(across.at(mark), shown_number(mark)) for mark in marks], _TOP + _SIDE)
    drawing.text((_LEFT + _SIDE / 2, _TOP + _SIDE + 38), "precision", size=TEXT, anchor="middle", paint="faint")
    drawing.text((10, _TOP + _SIDE / 2), "recall", size=TEXT, anchor="middle", paint="faint", turned=True)
    taken: list[tuple[float, float, float, float]] = []
    for name, (precision, recall) in points.items():
        x, y = across.at(precision), up.at(recall)
        hint = f"{name}: precision {precision:.3f}, recall {recall:.3f}"
        drawing.dot((x, y), 5, label_colour(name), title=hint)
        wide = text_width(name, 11)
        for left in (x + 9, x - 9 - wide):
            place = (left, y - 7, left + wide, y + 7)
            inside = left >= _LEFT and left + wide <= drawing.width
            if inside and len(points) <= _MOST_NAMED and not any(_overlap(place, other) for other in taken):
                taken.append(place)
                drawing.text((left, y), name, size=11)
                break
    return drawing


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
