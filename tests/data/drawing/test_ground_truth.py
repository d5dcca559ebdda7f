import math

import numpy as np
import pytest
from PIL import Image

from data.drawing.colours import FAULT, hexadecimal, ink_on, label_colour
from data.drawing.ground_truth import covered, draw_objects, rectangle
from data.outlines import run_lengths
from data.record import LabelledObject, RunLengths

GREY = Image.new("RGB", (200, 100), (128, 128, 128))
BOX = (0.25, 0.30, 0.75, 0.80)


def colours_of(image: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in image.getcolors(2**20) or [] if isinstance(colour, tuple)}


def test_the_edge_of_a_box_has_the_colour_of_its_label() -> None:
    drawn = draw_objects(GREY, [LabelledObject("can", BOX)], named_objects=False)
    edge = [(50, 30), (149, 30), (50, 79), (149, 79), (51, 31), (100, 78), (148, 50)]
    assert {drawn.getpixel(place) for place in edge} == {label_colour("can")}
    assert drawn.getpixel((100, 50)) == drawn.getpixel((10, 10)) == (128, 128, 128)


def test_a_label_has_one_colour_that_others_do_not_have() -> None:
    assert label_colour("can") == label_colour("can") != label_colour("carton")
    # A number is drawn as the text that replies call it by
    assert label_colour(7) == label_colour("7")
    colours = {label_colour(f"label {index}") for index in range(200)}
    assert len(colours) > 180


def test_no_label_looks_like_a_fault_and_all_can_be_read() -> None:
    for index in range(500):
        red, green, blue = label_colour(f"label {index}")
        assert not (red > 150 and green < 80 and blue < 80)
        ink = ink_on((red, green, blue))[0] / 255
        luminance = sum(
            weight * ((part / 255 + 0.055) / 1.055) ** 2.4
            for weight, part in zip((0.2126, 0.7152, 0.0722), (red, green, blue), strict=True)
        )
        assert (max(ink, luminance) + 0.05) / (min(ink, luminance) + 0.05) > 4.5
    assert hexadecimal((1, 2, 255)) == "#0102ff"


def test_labels_stand_on_their_colour_and_never_on_each_other() -> None:
    alone = draw_objects(GREY, [LabelledObject("can", BOX)])
    # Above the box
    assert alone.getpixel((51, 18)) == label_colour("can")
    same_place = [LabelledObject("can", BOX)] * 40
    crowded = draw_objects(Image.new("RGB", (200, 100), (128, 128, 128)), same_place)
    # The image stays visible below forty objects
    assert crowded.getpixel((100, 55)) == (128, 128, 128)


def test_faulty_objects_are_dashed_in_red() -> None:
    drawn = draw_objects(GREY, [], faulty=[LabelledObject("can", (0.5, 0.5, 1.7, 2.0))], named_objects=False)
    right = {drawn.getpixel((199, y)) for y in range(50, 100)}
    assert FAULT in right
    assert label_colour("can") not in colours_of(drawn)
    assert len(right) > 1, "dashed"


def test_crowds_are_dashed() -> None:
    solid = draw_objects(GREY, [LabelledObject("can", BOX)], named_objects=False)
    dashed = draw_objects(GREY, [LabelledObject("can", BOX, crowd=True)], named_objects=False)
    colour = label_colour("can")
    along = range(52, 148)
    assert all(solid.getpixel((x, 30)) == colour for x in along)
    assert 0.3 < np.mean([dashed.getpixel((x, 30)) == colour for x in along]) < 0.7


@pytest.mark.parametrize("form", ["polygons", "mask"])
def test_masks_tint_what_they_cover(form: str) -> None:
    pixels = np.zeros((100, 200), bool)
    pixels[30:80, 50:150] = True
    outline = (0.25, 0.3, 0.75, 0.3, 0.75, 0.8, 0.25, 0.8)
    one = LabelledObject(
        "can", BOX, (outline,) if form == "polygons" else (), run_lengths(pixels) if form == "mask" else None
    )
    inside = covered(one, (200, 100))
    assert inside is not None
    assert np.array_equal(np.asarray(inside) > 127, pixels)
    drawn = draw_objects(GREY, [one], named_objects=False)
    middle, colour = drawn.getpixel((100, 55)), label_colour("can")
    assert isinstance(middle, tuple)
    assert all(min(128, part) <= found <= max(128, part) for found, part in zip(middle, colour, strict=True))
    assert middle not in ((128, 128, 128), colour)
    assert drawn.getpixel((10, 10)) == (128, 128, 128)


def test_the_parts_of_an_object_are_one_mask() -> None:
    left, right = (0.0, 0.0, 0.25, 0.0, 0.25, 1.0, 0.0, 1.0), (0.75, 0.0, 1.0, 0.0, 1.0, 1.0, 0.75, 1.0)
    inside = covered(LabelledObject("can", (0, 0, 1, 1), (left, right)), (40, 20))
    assert inside is not None
    assert [inside.getpixel((x, 10)) for x in (5, 20, 35)] == [255, 0, 255]


@pytest.mark.parametrize(
    "one",
    [
        LabelledObject("", (0.9, 0.9, 0.1, 0.1)),
        LabelledObject("a", (math.nan, 0.0, 1.0, 1.0)),
        LabelledObject("b", (-math.inf, 0.0, math.inf, 1.0)),
        LabelledObject("c", (0.5, 0.5, 0.5, 0.5)),
        LabelledObject("d", (5.0, 5.0, 6.0, 6.0)),
        LabelledObject("e", BOX, ((0.1, 0.2, 0.3),)),
        LabelledObject("f", BOX, ((0.1, 0.2, math.nan, 0.3, 0.5, 0.6),)),
        LabelledObject("g", BOX, ((-9e9, 0.2, 9e9, 0.3, 0.5, 0.6),)),
        LabelledObject("h", BOX, (), RunLengths((4, 4), (3, 2))),
        LabelledObject("long " * 500, BOX),
        LabelledObject("\x00\n\u202e", BOX),
        LabelledObject("\udcff", BOX),
    ],
    ids=lambda one: repr(one.label[:5]),
)
@pytest.mark.parametrize("size", [(1, 1), (5000, 20), (3, 900), (64, 64)])
def test_whatever_is_given_is_drawn(one: LabelledObject, size: tuple[int, int]) -> None:
    image = Image.new("RGB", size)
    drawn = draw_objects(image, [one], faulty=[one], unit=2)
    assert drawn.size == size
    assert image.getbbox() is None, "the image itself stays as it is"


def test_rectangles_stay_in_the_image() -> None:
    assert rectangle((0, 0, 1, 1), (10, 20)) == (0, 0, 9, 19)
    assert rectangle((0.9, 0.5, 0.1, 0.25), (10, 20)) == (1, 5, 8, 9)
    assert rectangle((2, 2, 3, 3), (10, 20)) == (9, 19, 9, 19)
    assert rectangle((0, 0, math.nan, 1), (10, 20)) is None
