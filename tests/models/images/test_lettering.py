import pytest
from PIL import Image

from models.images import lettering
from models.images.lettering import shortened, typeface, write


def test_common_letters_are_written_in_the_typeface_that_is_everywhere() -> None:
    for text in ("", "milk_bottle 0.93", "Creme brulee …", "<script>&'\""):
        assert typeface(20, text).getname()[0] == "Aileron"


def test_other_scripts_are_written_where_the_machine_has_a_typeface_for_them() -> None:
    name = next((name for name in lettering._OTHERS if lettering._is_there(name) and lettering._has(name, "ж")), None)
    if name is None:
        pytest.skip("this machine has no typeface with Cyrillic letters")
    assert typeface(20, "жук").getname()[0] != "Aileron"
    drawn = []
    for text in ("жжж", "ббб"):
        canvas = Image.new("L", (200, 60), 255)
        canvas = canvas.convert("RGB")
        write(canvas, (10, 30), text, size=30, anchor="lm")
        drawn.append(canvas.tobytes())
    assert drawn[0] != drawn[1], "letters, not the same box for each"
    cut = shortened("жук " * 50, 20, 150)
    assert typeface(20, cut).getlength(cut) <= 150


def test_letters_that_no_typeface_has_are_still_drawn() -> None:
    unassigned = "\U000e0fff\U0003ffff"
    assert typeface(20, unassigned).getname()[0] == "Aileron"
    assert typeface(20, unassigned).getlength(unassigned) > 0
