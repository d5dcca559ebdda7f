"""The demo folder: built once, whole or not at all, and the model in it knows images it never saw."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from examples.fridge.__main__ import main
from examples.fridge.folder import DemoError, build, read_card
from examples.fridge.labelled_image import draw_labelled_images
from examples.fridge.progress import progress_bar
from examples.fridge.scene import LABELS
from examples.fridge.seeds import TEST_BLOCK, seeds
from examples.fridge.task import DemoTask, TrainedModel, find_task, task_names
from examples.fridge.training.half_batches import backward, two_threads
from examples.fridge.training.learning_rate import linear_rates
from models.loaded import load_classifier
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer


def toy(score: float, recipe: str = "a") -> DemoTask:
    checkpoint = {"model_name": "resnet18", "model_state": {"fc.bias": torch.zeros(4)}}
    details = {"architecture": "resnet18", "test_images": 4}
    trained = TrainedModel(checkpoint, {"valid_crop_size": 32}, score, details)
    return DemoTask(
        "image-classification", ("probs", "labels"), {"rows": recipe}, "accuracy", 0.95, lambda seed: trained
    )


@pytest.fixture
def toy_task(monkeypatch: pytest.MonkeyPatch) -> list[DemoTask]:
    tasks = [toy(0.97)]
    monkeypatch.setattr("examples.fridge.__main__.find_task", lambda name: tasks[0])
    return tasks


def test_a_demo_is_built_once(tmp_path: Path, toy_task: list[DemoTask], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["build", "--output", str(tmp_path / "demo/fridge")]
    assert main(arguments) == 0
    assert "building" in capsys.readouterr().err
    written = (tmp_path / "demo/fridge/card.json").stat().st_mtime_ns
    assert main(arguments) == 0
    assert "accuracy 97.0% on 4 unseen images" in capsys.readouterr().err
    assert (tmp_path / "demo/fridge/card.json").stat().st_mtime_ns == written
    toy_task[0] = toy(0.98, "another recipe")
    assert main(arguments) == 0
    assert "98.0%" in capsys.readouterr().err, "another recipe builds anew"
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["fridge"], "nothing else stays behind"
    assert len(list((tmp_path / "demo/fridge/pictures").glob("*.jpg"))) == 12


def test_a_bad_model_is_no_demo(tmp_path: Path, toy_task: list[DemoTask], capsys: pytest.CaptureFixture[str]) -> None:
    toy_task[0] = toy(0.94)
    assert main(["build", "--output", str(tmp_path / "fridge")]) == 1
    assert "No training reached accuracy 95%, the last one 94.0%" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unlucky_training_is_repeated_with_other_images(tmp_path: Path) -> None:
    scores = iter([0.94, 0.96])
    lucky = toy(0.0)
    task = replace(lucky, train=lambda seed: replace(lucky.train(seed), score=next(scores)))
    card = build(tmp_path / "fridge", task, 3)
    assert (card["accuracy"], card["seed"]) == (0.96, 4)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoError, match=r"is not a demo folder.*--output"):
        build(tmp_path, toy(0.97), 0)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_interrupted_build_leaves_the_old_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "fridge", toy(0.97), 0)

    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("examples.fridge.folder._write_images", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "fridge", toy(0.99), 0)
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


def test_rates_are_linear_within_a_stage() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = linear_rates(optimizer, [(6, (0.4, 0.2)), (2, (0.1, 0.05)), (1, (0.01, 0.001))], warm_up_steps=2)
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.2, 0.3, 0.4, 0.35, 0.3, 0.25, 0.1, 0.075, 0.01])


def test_two_halves_give_the_gradients_of_a_batch() -> None:
    torch.manual_seed(0)
    layer, inputs, labels = torch.nn.Linear(6, 3), torch.randn(5, 6), torch.arange(5) % 3
    parameters = list(layer.parameters())

    def loss_of(inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(layer(inputs), labels)

    expected = loss_of(inputs, labels)
    with two_threads() as threads:
        assert backward(threads, parameters, loss_of, inputs, labels) == pytest.approx(expected.item())
    for parameter, gradient in zip(parameters, torch.autograd.grad(expected, parameters), strict=True):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, gradient, atol=1e-6)


def test_tasks_are_found_by_their_files() -> None:
    assert "multiclass" in task_names()
    assert find_task("multiclass").least == 0.95


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
    images = draw_labelled_images("drawing", seeds(0, TEST_BLOCK, 300), (400, 300))
    labels = np.array([labelled.label for labelled in images])
    pixels = [model.preprocess.cropped(Image.fromarray(labelled.image)) for labelled in images]
    predicted = np.array(
        [int(output.argmax()) for at in range(0, 300, 8) for output in model.outputs(pixels[at : at + 8])]
    )
    assert (predicted == labels).mean() >= 0.95
    assert min((predicted == labels)[labels == label].mean() for label in range(len(LABELS))) >= 0.85


def test_the_demo_knows_its_images(demo: Path) -> None:
    card = json.loads((demo / "card.json").read_text())
    assert card["accuracy"] >= 0.95
    assert card["test_images"] >= 200
    assert min(card["accuracy_per_label"].values()) >= 0.85
    with LiveServer("--model", demo) as server:
        pictures = sorted((demo / "pictures").glob("*.jpg"))
        rows = server.score([image.read_bytes() for image in pictures]).json()
    assert all(tuple(row["labels"]) == LABELS for row in rows)
    said = [row["labels"][row["probs"].index(max(row["probs"]))] for row in rows]
    right = sum(image.stem.startswith(label) for image, label in zip(pictures, said, strict=True))
    assert right >= 11, "of twelve unseen images"
