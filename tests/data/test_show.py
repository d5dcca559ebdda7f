"""`python -m data show`: from a file to sheets and a page; which images are chosen; faults and refusals."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data.__main__ import main


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Write 30 images with a box each, of which the third reaches out of its image and the fourth is missing."""
    lines: list[dict[str, Any]] = []
    for index in range(30):
        if index != 3:
            Image.new("RGB", (40, 30), (index * 8, 90, 120)).save(tmp_path / f"{index:02}.png")
        label = "rare" if index == 29 else "can"
        corners = {"topX": 0.1, "topY": 0.1, "bottomX": 1.5 if index == 2 else 0.6, "bottomY": 0.9}
        lines.append({"image_url": f"{index:02}.png", "label": [{"label": label, **corners}]})
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def show(file: Path, *options: str) -> int:
    return main(["show", str(file), "--out", str(file.parent / "out"), *options])


def names(file: Path) -> Sequence[str]:
    return re.findall(r'data-name="([^"]*)"', (file.parent / "out" / "index.html").read_text())


def test_a_data_set_is_shown(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(dataset) == 0
    out, err = capsys.readouterr()
    assert out == f"{dataset.parent}/out/index.html\n"
    assert "30 of 30 images shown" in err
    page = Path(out.strip()).read_text()
    assert len(names(dataset)) == 30
    assert "box_outside" in page
    assert "image_missing" in page
    assert "All 30 images." in page
    assert len(list((dataset.parent / "out" / "sheets").iterdir())) == 2
    assert {file.stem for file in (dataset.parent / "out" / "charts").iterdir()} == {
        "labels",
        "objects",
        "sizes",
        "ratios",
        "together",
    }


def test_some_images_can_be_chosen(dataset: Path) -> None:
    assert show(dataset, "--images", "5") == 0
    assert len(names(dataset)) == 5
    assert "29.png" in names(dataset), "the only image of its label"
    assert "5 of 30 images: one of each label" in (dataset.parent / "out" / "index.html").read_text()
    assert show(dataset, "--label", "rare") == 0
    assert names(dataset) == ["29.png"]


def test_only_faults_are_shown(dataset: Path) -> None:
    assert show(dataset, "--only-faults", "--label", "can") == 0
    assert {"02.png", "03.png"} <= set(names(dataset)) < {f"{index:02}.png" for index in range(29)}


def test_an_unknown_label_is_refused_with_those_there_are(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(dataset, "--label", "kan") == 3
    assert "No image has the label 'kan'. Labels: can, rare." in capsys.readouterr().err
    assert not (dataset.parent / "out").exists()


def test_a_data_set_without_any_image_is_shown_with_its_faults(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text('{"image_url": "gone.png", "label": "can"}\nnot json\n')
    assert show(file) == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "image_missing" in page
    assert "line_unreadable" in page


@pytest.mark.parametrize("arguments", [["gone.jsonl"], ["train.jsonl", "--images", "0"], []])
def test_what_cannot_be_shown_is_refused(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code: Any = main(["show", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 3


def test_a_folder_that_cannot_be_written_is_refused(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset.parent / "out").write_text("a file")
    assert show(dataset) == 3
    assert "error:" in capsys.readouterr().err


def test_an_image_in_its_own_url_has_a_short_name(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 90).save(tmp_path / "noise.png")
    from base64 import b64encode

    url = "data:image/png;base64," + b64encode((tmp_path / "noise.png").read_bytes()).decode()
    (tmp_path / "train.jsonl").write_text(json.dumps({"image_url": url, "label": "noise"}) + "\n")
    assert show(tmp_path / "train.jsonl", "--cache", str(tmp_path / "cache")) == 0
    assert len(names(tmp_path / "train.jsonl")[0]) <= 160
