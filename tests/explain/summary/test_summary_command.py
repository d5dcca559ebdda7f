"""`python -m explain summary`: the page it writes, what it refuses, and that it goes on where it was killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from explain.__main__ import main
from explain.summary import explaining
from explain.summary.together import explain_together
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import painted
from tests.support.repository import ROOT

EVIL = "<script>alert(1)</script>"
LABELS = ("can", "carton", "milk_bottle", "water_bottle")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-six images and their labels, with boxes in every second line."""
    folder = tmp_path_factory.mktemp("photos")
    lines = []
    for number in range(26):
        name = f"{number:02}.png" if number else f"{EVIL}.png".replace("/", "\u2215")
        Image.fromarray(painted(number, 80, 72)).save(folder / name)
        label = LABELS[number % 4]
        corners = {"topX": 0.1, "topY": 0.2, "bottomX": 0.6, "bottomY": 0.7}
        lines.append({"image_url": name, "label": [{"label": label, **corners}]})
    (folder / "photos.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def summarise(photos: Path, fridge_folder: Path, tmp_path: Path) -> Any:
    """Run the command and return its exit code; `out/page.html` is what it writes."""

    def run(*options: str, data: Path | None = None, model: str | None = None) -> int:
        words = ["--model", model or str(fridge_folder), "--data", str(data or photos / "photos.jsonl")]
        return main(["summary", *words, "--output", str(tmp_path / "out" / "page.html"), *options])

    return run


def page(tmp_path: Path) -> str:
    return (tmp_path / "out" / "page.html").read_text()


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "out" / "page.maps").glob("*/*.npz"))


def test_a_page_is_written(summarise: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert summarise() == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/out/page.html\n"
    assert re.search(r"2\d maps of \d labels, of which \d with a place of their own", err)
    text = page(tmp_path)
    assert len(kept(tmp_path)) == 26
    for header in ("label", "images", "other label", "inside boxes", "boxes&#x27; area"):
        assert f">{header}</th>" in text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|@import", text)


def test_names_are_only_text(summarise: Any, tmp_path: Path) -> None:
    assert summarise() == 0
    assert "<script>alert" not in page(tmp_path)
    assert "&lt;script&gt;alert" in page(tmp_path)


def test_given_labels_are_explained(summarise: Any, tmp_path: Path) -> None:
    assert summarise("--explain", "labelled") == 0
    text = page(tmp_path)
    assert "explains what is labelled" in text
    rows = re.findall(r"<tr><td><a href.*?</tr>", text)
    counts = [int(re.findall(r'<td class="number">(\d+)</td>', row)[0]) for row in rows]
    assert sorted(counts) == [6, 6, 7, 7]
    assert "fewer than 10" in text


def test_labels_that_the_model_does_not_have_are_refused(
    summarise: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dogs").mkdir()
    Image.fromarray(painted(1, 80, 72)).save(tmp_path / "dogs" / "a.png")
    assert summarise("--explain", "labelled", data=tmp_path) == 3
    error = capsys.readouterr().err
    assert "No image has a label of the model. Labels of the images: dogs. Labels of the model: can, carton" in error


def test_a_folder_without_labels_is_explained(photos: Path, summarise: Any, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    shutil.copytree(photos, flat, ignore=shutil.ignore_patterns("*.jsonl"))
    assert summarise(data=flat) == 0
    assert "other label</th>" not in page(tmp_path)
    assert "inside boxes" not in page(tmp_path).partition("</th>")[2]


def test_bad_images_are_left_out_and_told(
    photos: Path, summarise: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    torn = (data / "03.png").read_bytes()
    (data / "03.png").write_bytes(torn[:200] + bytes(200) + torn[400:])
    (data / "04.png").unlink()
    assert summarise(data=data / "photos.jsonl") == 2
    error = capsys.readouterr().err
    assert "image_unreadable: 03.png: " in error
    assert "image_missing: 04.png: " in error
    assert "Send it again" not in error
    assert len(kept(tmp_path)) == 24
    assert "<h2>Faults</h2>" in page(tmp_path)


def test_where_no_image_is_left_nothing_is_written(
    summarise: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gone.jsonl"
    file.write_text('{"image_url": "gone.png", "label": "can"}\n')
    assert summarise(data=file) == 3
    assert "gone.jsonl has no image that can be used. The first of 1, image_missing" in capsys.readouterr().err
    assert not (tmp_path / "out" / "page.html").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--xai-parameters", '{"sign": "signed"}'], "'sign' is 'signed'; expected positive or absolute"),
        (["--xai-parameters", '{"top_k": 2}'], "'top_k' is for single images."),
        (["--xai-parameters", '{"against": "rest"}'], "'against' is for single images."),
        (["--xai-parameters", '{"n_stepz": 2}'], "The key 'n_stepz' of `xai_parameters` is not known."),
        (["--xai-parameters", "[1]"], "expected a JSON object such as"),
        (["--limit", "0"], "expected 1 or more, not 0"),
        (["--device", "cuda:99"], "The device cuda:99 does not exist"),
    ],
)
def test_bad_options_are_refused(
    summarise: Any, options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = summarise(*options)
    except SystemExit as ended:
        code = ended.code
    assert code == 3
    assert text in capsys.readouterr().err


def test_detectors_and_unknown_models_are_refused(
    summarise: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert summarise(model="fridge@3") == 3
    assert "No model 'fridge' is registered in model_root." in capsys.readouterr().err
    assert summarise(model=str(tmp_path / "nothing")) == 3
    assert summarise(model=str(write_detector_folder(tmp_path / "detector"))) == 3
    assert "expected one that classifies" in capsys.readouterr().err


def test_another_algorithm_in_the_same_folder_is_refused(summarise: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert summarise() == 0
    assert summarise("--xai-algorithm", "guided_gradcam") == 3
    assert "holds maps of another job: xai_algorithm was 'gradcam' and is 'guided_gradcam'" in capsys.readouterr().err


def test_the_limit_counts_images_of_each_label_and_can_be_raised(summarise: Any, tmp_path: Path) -> None:
    assert summarise() == 0
    whole = page(tmp_path)
    shutil.rmtree(tmp_path / "out")
    assert summarise("--limit", "2") == 0
    limited = page(tmp_path)
    counts = [int(count) for count in re.findall(r'</a></td><td class="number">(\d+)</td>', limited)]
    assert counts and max(counts) == 2
    assert "beyond the limit of 2 a label" in limited
    assert summarise("--limit", "2") == 0
    assert page(tmp_path) == limited
    assert summarise() == 0
    assert page(tmp_path) == whole


def test_another_algorithm_explains_within_the_limit(summarise: Any, tmp_path: Path) -> None:
    options = ["--xai-algorithm", "xrai", "--xai-parameters", '{"n_steps": 2}', "--explain", "labelled"]
    assert summarise(*options, "--limit", "1") == 0
    assert re.findall(r'</a></td><td class="number">(\d+)</td>', page(tmp_path)) == ["1"] * 4
    assert "22 images beyond the limit of 1 a label." in page(tmp_path)


def test_images_that_are_there_twice_count_once(photos: Path, summarise: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    shutil.copy(data / "03.png", data / "zz.png")
    with (data / "photos.jsonl").open("a") as lines:
        lines.write(
            '{"image_url": "zz.png", "label": [{"label": "can", "topX": 0, "topY": 0, "bottomX": 1, "bottomY": 1}]}\n'
        )
    assert summarise(data=data / "photos.jsonl") == 0
    assert "1 image the same as others, which counted once." in page(tmp_path)


def test_what_is_kept_is_not_explained_again(summarise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert summarise() == 0
    whole = page(tmp_path)
    explained: list[int] = []
    together = explain_together

    def counting(executor: Any, images: Any, *rest: Any, **more: Any) -> Any:
        explained.append(len(images))
        return together(executor, images, *rest, **more)

    monkeypatch.setattr(explaining, "explain_together", counting)
    for file in kept(tmp_path)[10:]:
        file.unlink()
    kept(tmp_path)[3].write_bytes(b"PK")
    assert summarise() == 0
    assert sum(explained) == 17
    assert page(tmp_path) == whole


def test_it_goes_on_after_it_was_killed(photos: Path, fridge_folder: Path, summarise: Any, tmp_path: Path) -> None:
    words = ["--model", str(fridge_folder), "--data", str(photos / "photos.jsonl"), "--batch-size", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "explain", "summary", *words, "--output", str(tmp_path / "out" / "page.html")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and len(kept(tmp_path)) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 3 <= len(kept(tmp_path)) < 26
    assert summarise("--batch-size", "1") == 0
    gone_on = page(tmp_path)
    shutil.rmtree(tmp_path / "out")
    assert summarise("--batch-size", "1") == 0
    assert page(tmp_path) == gone_on


def test_its_help_names_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["summary", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m explain summary [-h] --model MODEL --data PATH")
    assert "example: python -m explain summary --model path/to/folder --data train.jsonl" in text
