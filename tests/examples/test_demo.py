"""The demo folder: built once, whole or not at all, and the model in it knows images it never saw."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples.fridge.__main__ import main
from examples.fridge.closeups import write_closeups
from examples.fridge.dataset import LABEL_FILE, write_dataset
from examples.fridge.errors import DemoError
from examples.fridge.folder import build, read_card
from examples.fridge.progress import progress_bar
from examples.fridge.scene import LABELS, draw_scene
from examples.fridge.seeds import TEST_BLOCK, seeds
from examples.fridge.task import DemoTask, DrawnSet, find_task, task_names
from models.loaded import load_classifier
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer
from training.job import read_job

Trainings = Callable[..., None]
_ACCURACY = "accuracy"


def _toy(least: float = 0.95) -> DemoTask:
    return DemoTask("multiclass", (DrawnSet("images", 0, 4, (64, 48)),), ("multiclass",), _ACCURACY, least)


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The accuracies of the next trainings, which leave a run's files and train nothing."""
    coming: list[float] = []

    def train(task: DemoTask, seed: int, workspace: Path) -> Path:
        run = workspace / "runs" / "toy"
        (run / "outputs").mkdir(parents=True)
        (run / "report.html").write_text("<p>how it went</p>")
        described = {"model_name": "resnet18", "data": {"validation": {"images": 4}}, "versions": {"torch": "2"}}
        (run / "run.json").write_text(json.dumps(described))
        evaluation = {"metrics": {_ACCURACY: coming.pop(0)}, "per_label": {}}
        (run / "evaluation.json").write_text(json.dumps(evaluation))
        return run

    monkeypatch.setattr("examples.fridge.folder.train_demo", train)
    return coming


def test_a_demo_is_built_once(
    tmp_path: Path, scores: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [_toy()]
    monkeypatch.setattr("examples.fridge.__main__.find_task", lambda name: tasks[0])
    scores += [0.97, 0.98]
    arguments = ["build", "--output", str(tmp_path / "demo/fridge")]
    assert main(arguments) == 0
    assert "building" in capsys.readouterr().err
    written = (tmp_path / "demo/fridge/card.json").stat().st_mtime_ns
    assert main(arguments) == 0
    assert "accuracy 97.0% on 4 unseen images" in capsys.readouterr().err
    assert (tmp_path / "demo/fridge/card.json").stat().st_mtime_ns == written
    tasks[0] = _toy(0.96)
    assert main(arguments) == 0
    assert "98.0%" in capsys.readouterr().err, "another recipe builds anew"
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["fridge"], "nothing else stays behind"
    assert len(list((tmp_path / "demo/fridge/pictures").glob("*.jpg"))) == 12
    assert (tmp_path / "demo/fridge/report.html").exists()


def test_a_bad_model_is_no_demo(
    tmp_path: Path, scores: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("examples.fridge.__main__.find_task", lambda name: _toy())
    scores += [0.93, 0.94]
    assert main(["build", "--output", str(tmp_path / "fridge")]) == 1
    assert "No training reached accuracy 95%, the last one 94.0%" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unlucky_training_is_repeated_with_other_images(tmp_path: Path, scores: list[float]) -> None:
    scores += [0.94, 0.96]
    card = build(tmp_path / "fridge", _toy(), 3)
    assert (card["accuracy"], card["seed"]) == (0.96, 4)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoError, match=r"is not a demo folder.*--output"):
        build(tmp_path, _toy(), 0)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_interrupted_build_leaves_the_old_demo(
    tmp_path: Path, scores: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores += [0.97, 0.99]
    build(tmp_path / "fridge", _toy(), 0)

    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("examples.fridge.folder._write_images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "fridge", _toy(), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["fridge"]
    assert (read_card(tmp_path / "fridge") or {})["accuracy"] == 0.97


def test_progress_is_written_in_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress_bar("drawing", range(3))) == [0, 1, 2]
    with progress_bar("training", total=9.0) as progress:
        progress.set_postfix_str("loss 0.5", refresh=False)
        progress.update(4.5)
    lines = capsys.readouterr().err.splitlines()
    assert [line[:12] for line in lines] == ["drawing   0%", "drawing 100%", "training   0", "training  50"]
    assert all(line.isprintable() and " left" in line for line in lines)
    assert lines[-1].endswith("loss 0.5")


@pytest.mark.parametrize("name", task_names())
def test_every_demo_has_images_for_its_jobs(name: str) -> None:
    task = find_task(name)
    drawn = {name for each in task.sets for name in (each.name, each.closeups)}
    for file in task.job_files():
        # Paths are looked up when the job is read, beside a copy of it
        wanted = {line.split()[1].split("/")[0] for line in file.read_text().splitlines() if "path:" in line}
        assert wanted <= drawn
    assert task.job_files()[-1].stem == name


def test_jobs_of_the_demo_are_read_as_they_are(tmp_path: Path) -> None:
    for folder in ("images", "unseen"):
        write_dataset(tmp_path / folder, 0, 2, (64, 48), task="segmentation")
    for file in find_task("segmentation").job_files()[-1:]:
        (tmp_path / file.name).write_text(file.read_text())
        assert read_job(tmp_path / file.name).model_name == "maskrcnn_resnet18_fpn"


def test_close_ups_show_one_object_each(tmp_path: Path) -> None:
    annotations = write_dataset(tmp_path / "scenes", 3, 4, (160, 120))
    count = write_closeups(tmp_path / "scenes", tmp_path / "closeups")
    lines = [json.loads(line) for line in (tmp_path / "closeups" / LABEL_FILE).read_text().splitlines()]
    assert count == len(lines) == sum(len(each["objects"]) for each in annotations)
    assert [line["label"] for line in lines] == [item["label"] for each in annotations for item in each["objects"]]
    for line in lines:
        with Image.open(tmp_path / "closeups" / line["image_url"]) as image:
            assert image.size == (96, 96)


@pytest.fixture(scope="module")
def demo() -> Path:
    """The demo that `make serve` serves, trained here unless it is there already."""
    # its share of the cores: threads that wait for one that another test keeps from its core take twice as long
    share = max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    env = os.environ | {"OMP_NUM_THREADS": str(share)}
    subprocess.run([sys.executable, "-m", "examples.fridge", "build"], check=True, cwd=ROOT, env=env)
    return ROOT / "demo/fridge"


def test_the_demo_knows_unseen_images(demo: Path) -> None:
    """More and larger images than the build tests on, scored as the server scores them."""
    model = load_classifier(demo)
    numbers = seeds(0, TEST_BLOCK + 1, 300)
    labels = np.array([number % len(LABELS) for number in numbers])
    scenes = (draw_scene(number, size=(400, 300), labels=[LABELS[number % len(LABELS)]]) for number in numbers)
    pixels = [model.preprocess.cropped(Image.fromarray(scene.image)) for scene in scenes]
    predicted = np.array(
        [int(output.argmax()) for at in range(0, 300, 8) for output in model.outputs(pixels[at : at + 8])]
    )
    assert (predicted == labels).mean() >= 0.95
    assert min((predicted == labels)[labels == label].mean() for label in range(len(LABELS))) >= 0.85


def test_the_demo_knows_its_images(demo: Path) -> None:
    card = json.loads((demo / "card.json").read_text())
    assert card["accuracy"] >= 0.95
    assert card["test_images"] >= 200
    assert min(values["recall_score"] for values in card["per_label"].values()) >= 0.85
    with LiveServer("--model", demo) as server:
        pictures = sorted((demo / "pictures").glob("*.jpg"))
        rows = server.score([image.read_bytes() for image in pictures]).json()
    assert all(tuple(row["labels"]) == LABELS for row in rows)
    said = [row["labels"][row["probs"].index(max(row["probs"]))] for row in rows]
    right = sum(image.stem.startswith(label) for image, label in zip(pictures, said, strict=True))
    assert right >= 11, "of twelve unseen images"
