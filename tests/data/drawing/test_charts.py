"""Charts as PNG and SVG: bars are as long as what they count, and foreign text stays text."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from data.drawing.axes import Scale, logarithmic_ticks, shown_number, ticks
from data.drawing.bars import Bar, Bins, draw_histogram, draw_named_bars, edge_bins, whole_number_bins
from data.drawing.colours import label_colour
from data.drawing.matrix import draw_matrix, together
from data.drawing.vector_drawing import MARGIN, ROLES, SHARPNESS, VectorDrawing


def rectangles(drawing: VectorDrawing) -> dict[str, tuple[float, float]]:
    """Return the width and height of what has a title, by title."""
    root = ET.fromstring(drawing.svg())
    return {
        title: (float(rect.attrib["width"]), float(rect.attrib["height"]))
        for rect in root.iter("rect")
        if (title := rect.findtext("title"))
    }


def test_a_png_is_sharp_and_shows_what_the_svg_says() -> None:
    drawing = VectorDrawing(40, 20, "a square")
    drawing.rectangle((10, 5), (10, 10), (200, 30, 90))
    image = drawing.png()
    assert image.size == ((40 + 2 * MARGIN) * SHARPNESS, (20 + 2 * MARGIN) * SHARPNESS)
    left, top = ((edge + MARGIN) * SHARPNESS for edge in (10, 5))
    assert image.getpixel((left, top)) == image.getpixel((left + 19, top + 19)) == (200, 30, 90)
    assert image.getpixel((left - 1, top)) == image.getpixel((left, top + 20)) == (255, 255, 255)
    root = ET.fromstring(drawing.svg())
    assert root.attrib["viewBox"] == "0 0 40 20"
    assert root.findtext("title") == "a square"


def test_lines_dots_and_turned_texts_are_drawn() -> None:
    drawing = VectorDrawing(60, 60, "")
    drawing.line([(0, 10), (60, 10)], "accent", width=2)
    drawing.line([(0, 20), (60, 20)], "accent", width=2, dash=5)
    drawing.dot((30, 40), 4, "fault")
    image = drawing.png()

    def at(x: float, y: float) -> object:
        return image.getpixel((round((x + MARGIN) * SHARPNESS), round((y + MARGIN) * SHARPNESS)))

    assert [at(x, 10) for x in (2, 7, 50)] == [ROLES["accent"]] * 3
    assert [at(x, 20) for x in (2, 7, 12)] == [ROLES["accent"], (255, 255, 255), ROLES["accent"]]
    assert at(30, 40) == ROLES["fault"]

    def extent(turned: bool) -> tuple[int, int]:
        lettered = VectorDrawing(200, 200, "")
        lettered.text((100, 100), "milk_bottle", anchor="middle", turned=turned)
        box = lettered.png().convert("L").point(lambda level: 255 - level).getbbox()
        assert box is not None
        return box[2] - box[0], box[3] - box[1]

    (wide, high), (turned_wide, turned_high) = extent(False), extent(True)
    assert wide > 4 * high
    assert abs(turned_wide - high) <= 3
    assert abs(turned_high - wide) <= 3


def test_foreign_text_is_escaped_and_cut() -> None:
    evil = '</svg><script>alert(1)</script>"'
    drawing = draw_named_bars("<b>", [Bar(evil, 3), Bar("name " * 200, 2), Bar("缶", 1)])
    svg = drawing.svg()
    assert "<script" not in svg
    assert "&lt;b&gt;" in svg
    assert "缶" in svg, "a browser can write it"
    assert max(len(text) for text in re.findall(">([^<]*)</text>", svg)) < 100
    ET.fromstring(svg)


def test_bars_are_as_long_as_their_values() -> None:
    bars = [Bar("can", 40, label_colour("can")), Bar("carton", 10), Bar("none", 0)]
    found = rectangles(draw_named_bars("Images by label", bars))
    assert found["can: 40"][0] == pytest.approx(4 * found["carton: 10"][0], abs=0.1)
    assert found["none: 0"][0] == 0
    full = rectangles(draw_named_bars("Recall", [Bar("can", 0.5, note="50%")], full=1.0))
    whole = rectangles(draw_named_bars("Recall", [Bar("can", 1.0, note="50%")], full=1.0))
    assert full["can: 50%"][0] == pytest.approx(whole["can: 50%"][0] / 2, abs=0.1)


def test_many_bars_say_how_many_are_left_out() -> None:
    svg = draw_named_bars("Images by label", [Bar(f"label {index}", 200 - index) for index in range(200)]).svg()
    assert "and 140 more" in svg
    assert "There are none." in draw_named_bars("Images by label", []).svg()


def test_bins_hold_every_number_once() -> None:
    bins = whole_number_bins([0, 0, 2, 3])
    assert (list(bins.counts), list(bins.titles)) == ([2, 0, 1, 1], ["0", "1", "2", "3"])
    wide = whole_number_bins(list(range(100)))
    assert sum(wide.counts) == 100
    assert len(wide.counts) <= 30
    assert wide.titles[0] == "0 to 3"
    assert list(whole_number_bins([]).counts) == [0]
    edges = edge_bins([0.5, 1.0, 1.5, 99.0, -1.0], [0, 1, 2, 3], ["0", "1", "2", "3"])
    assert list(edges.counts) == [2, 2, 1]
    assert list(edges.titles) == ["0 to 1", "1 to 2", "2 to 3"]


def test_columns_are_as_high_as_their_counts() -> None:
    found = rectangles(draw_histogram("Objects", Bins([10, 5, 0], ["0", "1", "2"], ["0", "1", "2"]), "objects"))
    assert found["0: 10"][1] == pytest.approx(2 * found["1: 5"][1], abs=0.1)
    assert found["2: 0"][1] == 0
    draw_histogram("Objects", Bins([0], ["0"], ["0"]), "objects").png()


@pytest.mark.parametrize("count", [0, 1, 2, 30, 100])
def test_a_matrix_shows_its_counts(count: int) -> None:
    counts = np.diag(np.arange(1, count + 1)).astype(np.int64)
    drawing = draw_matrix("Together", together([f"label {index}" for index in range(count)], counts))
    found = rectangles(drawing)
    assert len(found) == count
    if count:
        images = "1 image" if count == 1 else f"{count} images"
        assert f"label {count - 1} in {count} of {images} with label {count - 1}" in found
    assert max(drawing.png().size) < 2500
    assert (f">{count}</text>" in drawing.svg()) == (0 < count <= 30)


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(0, 7.3, 5, whole=True) == [0, 2, 4, 6]
    assert ticks(0, 1, 5, whole=True) == [0, 1]
    assert ticks(5, 5) == [5]
    assert logarithmic_ticks(0.03, 3) == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2])
    assert logarithmic_ticks(1e-6, 1e3) == pytest.approx([10.0**power for power in range(-6, 4)])
    assert [shown_number(value) for value in (0, 0.25, 1500, 20000, 3e6, 1e-5, -2.5, 1e12)] == [
        "0", "0.25", "1,500", "20k", "3M", "1e-05", "-2.5", "1e+12",
    ]  # fmt: skip
    assert Scale(1, 100, 0, 10, logarithmic=True).at(10) == pytest.approx(5)
    assert Scale(0, 0, 0, 10).at(0) == 5
