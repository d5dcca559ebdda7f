"""The report of a run: right curves and numbers, tolerant of what is missing, safe with foreign text."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.dataset import CheckedImage
from data.record import LabelledImage, LabelledObject
from training.errors import TrainingError
from training.reports.card import card, write_card
from training.reports.charts import NOTHING, confused, run_charts
from training.reports.line_chart import Series, draw_lines
from training.reports.report import write_report
from training.reports.report_page import duration
from training.reports.run_record import RunRecord
from training.reports.worst import worst_predictions

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    def write(
        *, run: Any = None, metrics: Any = (), evaluation: Any = None, predictions: Any = (), faults: Any = ()
    ) -> Path:
        (tmp_path / "run.json").write_text(json.dumps(run or {"name": "fridge"}))
        for name, lines in (("metrics", metrics), ("predictions", predictions), ("faults", faults)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (tmp_path / "evaluation.json").write_text(json.dumps(evaluation or {}))
        return tmp_path

    return write


def finished() -> dict[str, Any]:
    return {
        "run": {
            "name": "fridge",
            "state": "finished",
            "task": "multiclass",
            "model_name": "resnet18",
            "hyperparameters": {"learning_rate": 0.01, "optimizer": "sgd"},
            "seed": 7,
            "started_from": {"source": "imagenet.pth", "sha256": "c" * 64, "taken": 120, "fresh": 2},
            "data": {
                "training": {"images": 800, "sha256": "a" * 64},
                "validation": {"images": 200, "sha256": "b" * 64},
            },
            "labels": ["can", "carton"],
            "seconds": 137.2,
        },
        "metrics": [
            {"epoch": 0, "accuracy": 0.5, "log_loss": 1.5, "log_loss_train": 1.6, "learning_rate": 0.01},
            {"epoch": 1, "accuracy": 0.9, "log_loss": 0.5, "log_loss_train": 0.4, "learning_rate": 0.005},
        ],
        "evaluation": {
            "epoch": 1,
            "primary_metric": "accuracy",
            "metrics": {"accuracy": 0.9, "log_loss": 0.5},
            "per_label": {
                "can": {"precision_score": 0.8, "recall_score": 1.0, "f1_score": 0.89},
                "carton": {"precision_score": 1.0, "recall_score": 0.8, "f1_score": 0.88},
            },
            "confusion": [[10, 0], [2, 8]],
            "labels": ["can", "carton"],
        },
        "faults": [{"line": 3, "image": "x", "fault": "box_outside", "detail": "", "done": "box clipped"}],
    }


def dots(drawing: Any) -> dict[str, tuple[float, float]]:
    return {
        circle.findtext("title") or "": (float(circle.attrib["cx"]), float(circle.attrib["cy"]))
        for circle in ET.fromstring(drawing.svg()).iter("circle")
    }


def test_a_report_holds_what_the_run_says(run: Callable[..., Path]) -> None:
    folder = run(**finished())
    page = write_report(folder).read_text("utf-8")
    for part in ("0.9000", "800", "imagenet.pth", "a" * 64, "learning_rate", "box_outside", "2 min 17 s", "20.0%"):
        assert part in page
    assert "has not finished" not in page
    charts = {file.stem for file in (folder / "charts").iterdir()}
    assert charts == {"losses", "metrics", "learning_rate", "confusion", "labels", "precision_recall_by_label"}
    for file in (folder / "charts").iterdir():
        with Image.open(file) as image:
            assert image.format == "PNG"


def test_a_run_whose_model_is_there_has_finished(run: Callable[..., Path]) -> None:
    folder = run(run={"name": "fridge", "state": "running"})
    assert "has not finished" in write_report(folder).read_text()
    (folder / "outputs").mkdir()
    assert "has not finished" not in write_report(folder).read_text()


def test_lines_rise_and_fall_as_the_numbers_do() -> None:
    drawing = draw_lines(
        "Loss", [Series("a", [(0, 4.0), (1, 2.0), (2, 3.0)]), Series("b", [(0, 1.0), (2, 1.0)])], "epoch", best=1
    )
    found = dots(drawing)
    heights = {name: y for name, (_, y) in found.items()}
    # Downwards on a page
    assert heights["a, 0: 4"] < heights["a, 2: 3"] < heights["a, 1: 2"] < heights["b, 0: 1"]
    assert heights["a, 2: 3"] == pytest.approx((heights["a, 0: 4"] + heights["a, 1: 2"]) / 2)
    assert found["a, 1: 2"][0] == pytest.approx((found["a, 0: 4"][0] + found["a, 2: 3"][0]) / 2)
    (mark,) = [line for line in ET.fromstring(drawing.svg()).iter("polyline") if "stroke-dasharray" in line.attrib]
    assert float(mark.attrib["points"].partition(",")[0]) == pytest.approx(found["a, 1: 2"][0])
    assert ">best: 1</text>" in drawing.svg()


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, 0.5)],
        [(0, float("nan")), (1, float("inf"))],
        [(0, 0.0), (1, 0.0)],
        [(0, -5.0), (1, 1e9)],
        [(0, 1e-9), (1, 5)],
    ],
)
def test_lines_of_odd_numbers_are_drawn(points: list[tuple[float, float]]) -> None:
    for logarithmic in (False, True):
        drawing = draw_lines("Loss", [Series("a", points)], "epoch", best=0, logarithmic=logarithmic)
        assert not re.search(r"\bnan\b|\binf\b", drawing.svg())
        drawing.png()


def test_a_wide_range_of_losses_is_logarithmic() -> None:
    series = [Series("a", [(0, 100.0), (1, 10.0), (2, 1.0)])]
    (_, first), (_, second), (_, third) = dots(draw_lines("Loss", series, "epoch", logarithmic=True)).values()
    assert second - first == pytest.approx(third - second)


@pytest.mark.parametrize("count", [2, 4, 40, 100, 150])
def test_a_confusion_matrix_counts_and_compares(count: int) -> None:
    counts = np.eye(count, dtype=np.int64) * 3
    counts[0, 1] = 1
    names = [f"label {index}" for index in range(count)]
    matrix = confused(names, counts)
    assert matrix.texts(0, 0) == ["3", "75%"]
    assert matrix.texts(1, 0) == []
    assert matrix.hint(0, 1) == "1 of 4 label 0 predicted as label 1, 25.0%"
    record = RunRecord(evaluation={"confusion": counts.tolist(), "labels": names})
    svg = run_charts(record)["confusion"].svg()
    assert "1 of 4 label 0 predicted as label 1" in svg, "the labels with mistakes are among those that are shown"
    assert svg.count("predicted as") == min(count, 100) + 1


def test_what_a_detector_misses_is_a_row_of_its_own() -> None:
    record = RunRecord(evaluation={"confusion": [[5, 1], [2, 0]], "labels": ["can"]})
    svg = run_charts(record)["confusion"].svg()
    assert f"1 of 6 can predicted as {NOTHING}, 16.7%" in svg


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"run": {"name": 3, "state": "running", "data": {"training": {}}, "started_from": "random weights"}},
        {"metrics": [{"epoch": 0}, {"accuracy": 1.0}, {"epoch": 1, "accuracy": None}, {"epoch": "x", "log_loss": "y"}]},
        {"evaluation": {"confusion": [], "per_label": {}, "metrics": {"accuracy": None}, "epoch": None}},
        {"evaluation": {"confusion": [[1, 2]], "labels": [0, 1], "per_label": {"0": {}}}},
        {"predictions": [{}, {"image_url": 5}], "faults": [{}]},
    ],
)
def test_missing_values_are_left_out(run: Callable[..., Path], changes: dict[str, Any]) -> None:
    folder = run(**changes)
    assert "has not finished" in write_report(folder).read_text()
    assert card(RunRecord.read(folder)).startswith("# ")


def test_a_folder_without_a_run_is_refused(tmp_path: Path, run: Callable[..., Path]) -> None:
    with pytest.raises(TrainingError, match=r"holds no run\.json. Give the folder of a run"):
        write_report(tmp_path)
    folder = run()
    (folder / "metrics.jsonl").write_text('{"epoch": 0\n')
    with pytest.raises(TrainingError, match=r"metrics\.jsonl is damaged"):
        write_report(folder)


def test_foreign_text_is_escaped(run: Callable[..., Path]) -> None:
    given = finished()
    given["run"]["name"] = given["run"]["model_name"] = EVIL
    given["run"]["hyperparameters"] = {EVIL: EVIL}
    given["evaluation"] |= {"labels": [EVIL, "b|`c`"], "per_label": {EVIL: {EVIL: 0.5, "f1_score": 0.5}}}
    folder = run(**given)
    page = write_report(folder).read_text("utf-8")
    assert page.count("<script") == 1
    assert not re.search(r"https?://|url\(|@import", page)
    text = card(RunRecord.read(folder))
    assert "<script" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_the_worst_predictions_are_shown_with_their_images(run: Callable[..., Path], tmp_path: Path) -> None:
    given = finished()
    urls = [f"{index}.png" for index in range(3)]
    for url in urls:
        Image.new("RGB", (32, 24)).save(tmp_path / url)
    (tmp_path / "2.png").write_bytes(b"torn")
    given["predictions"] = [
        {"image_url": url, "labels": ["can", "carton"], "probs": [share, 1 - share]}
        for url, share in zip(urls, (0.8, 0.1, 0.5), strict=True)
    ]
    images = [
        CheckedImage(LabelledImage(url, line, ("can",)), tmp_path / url, (32, 24), "")
        for line, url in enumerate(urls, 1)
    ]
    page = write_report(run(**given), images).read_text("utf-8")
    assert re.findall(r"</span> (\d\.png)", page) == ["1.png", "2.png", "0.png"]
    assert page.count("data:image/jpeg") == 2
    assert "10.0% for can; loss 2.30" in page


def test_worst_of_many_labels_says_what_is_wrong() -> None:
    images = [LabelledImage("a", 1, ("can",)), LabelledImage("b", 2, ("can", "carton"))]
    predictions: list[dict[str, Any]] = [
        {"image_url": "a", "labels": ["can", "carton"], "probs": [0.9, 0.2]},
        {"image_url": "b", "labels": ["can", "carton"], "probs": [0.1, 0.9]},
        {"image_url": "unknown", "labels": ["can"], "probs": [0.0]},
    ]
    assert worst_predictions("multilabel", images[:1], [{**predictions[0], "probs": [0.99, 0.01]}], 5) == []
    first, second = worst_predictions("multilabel", images, predictions, 5)
    assert (first.image.url, second.image.url) == ("b", "a")
    assert first.verdict.startswith("misses can; loss")
    assert first.labels == (("carton", 0.9),)
    assert second.verdict.startswith("right; loss")


def box(left: float, label: str, score: float) -> dict[str, Any]:
    corners = {"topX": left, "topY": 0.1, "bottomX": left + 0.2, "bottomY": 0.5}
    return {"box": corners, "label": label, "score": score}


def test_worst_of_a_detector_misses_or_makes_up_objects() -> None:
    can, carton = LabelledObject("can", (0.1, 0.1, 0.3, 0.5)), LabelledObject("carton", (0.6, 0.1, 0.8, 0.5))
    crowd = LabelledObject("can", (0.4, 0.0, 1.0, 1.0), crowd=True)
    images = [
        LabelledImage("right", 1, objects=(can, carton)),
        LabelledImage("missed", 2, objects=(can, carton)),
        LabelledImage("wrong", 3, objects=(can,)),
        LabelledImage("crowd", 4, objects=(can, crowd)),
    ]
    both = [box(0.1, "can", 0.9), box(0.61, "carton", 0.8), box(0.4, "can", 0.3)]
    predictions: list[dict[str, Any]] = [
        {"image_url": "right", "boxes": both},
        {"image_url": "missed", "boxes": []},
        {"image_url": "wrong", "boxes": [box(0.1, "carton", 0.7), {"box": None}, 3]},
        {"image_url": "crowd", "boxes": [box(0.1, "can", 0.9), box(0.7, "can", 0.9)]},
    ]
    found = worst_predictions("detection", images, predictions, 9)
    assert [(each.image.url, each.verdict) for each in found] == [
        ("missed", "2 missed"),
        ("wrong", "1 missed, 1 not there"),
    ]
    assert found[1].scores == (0.7,)


def test_a_card_tells_what_the_model_is(run: Callable[..., Path]) -> None:
    folder = run(**finished())
    write_card(folder, folder / "README.md")
    text = (folder / "README.md").read_text()
    for part in (
        "# fridge",
        "python -m models register outputs --name fridge",
        "| `accuracy` | 0.9000 |",
        "a" * 64,
        "imagenet.pth",
        "after epoch 1",
        "| can | 0.8 | 1 | 0.89 |",
    ):
        assert part in text
    assert text.index("`accuracy`") < text.index("`log_loss`"), "the primary metric comes first"


def test_durations_are_said_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.25, 42, 200, 7500)] == ["0.25 s", "42 s", "3 min 20 s", "2 h 5 min"]
