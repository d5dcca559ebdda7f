"""Replies drawn over their images: colour where something was found, and nowhere else."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples.draw_boxes import main

GREY = 100


def reply(**more: object) -> dict[str, Any]:
    box = {"topX": 0.25, "topY": 0.5, "bottomX": 0.75, "bottomY": 0.9}
    return {"boxes": [{"box": box, "label": "can", "score": 0.9, **more}]}


def drawn(folder: Path, content: object) -> Any:
    Image.new("RGB", (200, 100), (GREY, GREY, GREY)).save(folder / "picture.png")
    (folder / "reply.json").write_text(json.dumps(content))
    assert main([str(folder / name) for name in ("picture.png", "reply.json", "out.png")]) == 0
    with Image.open(folder / "out.png") as image:
        assert image.size == (200, 100)
        return (np.asarray(image) != GREY).any(2)


def test_a_box_is_framed_and_named(tmp_path: Path) -> None:
    changed = drawn(tmp_path, [reply()])
    assert changed[50, 50:150].all()
    assert changed[90, 50:150].all()
    assert changed[50:90, 50].all()
    assert changed[50:90, 150].all()
    assert not changed[55:85, 55:145].any(), "inside there is only the picture"
    assert not changed[:, :45].any()
    assert changed[30:49, 50:70].mean() > 0.5, "its name stands above it"


def test_a_polygon_is_tinted_but_for_its_holes(tmp_path: Path) -> None:
    outer = [0.3, 0.55, 0.7, 0.55, 0.7, 0.85, 0.3, 0.85]
    hole = [0.45, 0.6, 0.55, 0.6, 0.55, 0.8, 0.45, 0.8]
    changed = drawn(tmp_path, [reply(polygon=[outer, hole])])
    assert changed[57:84, 62:88].all()
    assert not changed[62:78, 93:107].any()
    assert not changed[57:84, 53:58].any(), "between the box and the polygon"


def test_tints_let_the_image_show_through(tmp_path: Path) -> None:
    drawn(tmp_path, [reply(polygon=[[0.3, 0.55, 0.7, 0.55, 0.7, 0.85, 0.3, 0.85]])])
    with Image.open(tmp_path / "out.png") as image:
        frame, tint = (np.array(image.getpixel(place)) for place in ((100, 90), (100, 70)))
    assert tint == pytest.approx((frame + GREY) / 2, abs=1)


def test_both_versions_of_the_contract_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = drawn(tmp_path, {"filename": "a.jpg", **reply()})
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps([reply()])))
    assert main([str(tmp_path / "picture.png"), "-", str(tmp_path / "new.png")]) == 0
    with Image.open(tmp_path / "new.png") as image:
        assert np.array_equal((np.asarray(image) != GREY).any(2), old)
    assert not drawn(tmp_path, [{"boxes": []}]).any(), "nothing was found"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>", "not JSON; it starts with '<html>'"),
        ("[]", "about 0 images"),
        (json.dumps([reply(), reply()]), "about 2 images"),
        ('[{"probs": [1], "labels": ["can"]}]', "the keys probs, labels. Is the model a detection model?"),
        ('{"message": "no"}', "the keys message"),
        ('"x"', 'no list of boxes but "x"'),
        ('[{"boxes": [{"label": "can", "score": 1}]}]', 'A box is {"label": "can", "score": 1}; expected'),
        ('[{"boxes": [7]}]', "A box is 7; expected"),
    ],
)
def test_what_is_no_detection_reply_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "reply.json").write_text(text)
    assert main([str(tmp_path / name) for name in ("picture.png", "reply.json", "out.png")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_missing_image_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reply.json").write_text("[" + json.dumps(reply()) + "]")
    assert main([str(tmp_path / name) for name in ("none.png", "reply.json", "out.png")]) == 1
    assert "none.png" in capsys.readouterr().err
