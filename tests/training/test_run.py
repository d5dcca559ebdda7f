"""The command `training run`, from a job file to a model that is served."""

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import yaml
from safetensors.torch import load_file

from data.progress import ProgressReport
from data.sources.image_store import ImageStore
from models.folder.registration import register
from models.images.decoding import ImageLimits
from models.loaded import load
from tests.support.training.command import run_training, training_environment, write_coloured_job
from training.__main__ import main
from training.job import read_job
from training.runs.folder import RunFolder
from training.runs.options import RunOptions
from training.runs.run import run_job

_LIMITS = ImageLimits(2**20, 2**20)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run has finished."""
    folder = tmp_path_factory.mktemp("training")
    write_coloured_job(folder)
    done = run_training(folder, "run", "colours.yml")
    assert done.returncode == 0, done.stderr
    assert "starts from random weights" in done.stderr
    assert "epoch 3/3: loss" in done.stderr
    return folder


def test_a_run_leaves_what_is_promised(site: Path) -> None:
    run = site / "runs" / "colours"
    files = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    assert {
        "run.json",
        "metrics.jsonl",
        "train.jsonl",
        "valid.jsonl",
        "faults.jsonl",
        "evaluation.json",
        "predictions.jsonl",
        "report.html",
        "last/state.safetensors",
        "best/state.safetensors",
        "outputs/README.md",
        "outputs/manifest.json",
        "outputs/model.safetensors",
        "outputs/mlflow-model/MLmodel",
        "outputs/mlflow-model/artifacts/model.pt",
        "outputs/mlflow-model/artifacts/settings.json",
    } <= files
    assert not any("decoded" in file or file.startswith(".colours") for file in files)
    described = json.loads((run / "run.json").read_text())
    assert described["state"] == "finished"
    assert described["hyperparameters"]["number_of_epochs"] == 3
    assert described["data"]["training"]["images"] + described["data"]["validation"]["images"] == 45
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert {"accuracy", "log_loss", "log_loss_train"} <= lines[0].keys()


def test_the_model_scores_as_in_its_training(site: Path) -> None:
    model: Any = load(site / "runs" / "colours" / "outputs")
    predictions = [json.loads(line) for line in (site / "runs/colours/predictions.jsonl").read_text().splitlines()]
    assert len(predictions) >= 5
    for one in predictions:
        image = model.read((site / one["image_url"]).read_bytes(), _LIMITS, model.settings({}))
        scores: Any = model.combine(image, model.outputs([each.data for each in image.inputs]))
        assert list(scores.probs) == pytest.approx(one["probs"], abs=1e-6)
        assert list(model.definition.labels) == one["labels"]


def test_stock_torchvision_loads_the_weights(site: Path) -> None:
    outputs = site / "runs" / "colours" / "outputs"
    network = torchvision.models.resnet18(num_classes=3)
    network.load_state_dict(load_file(outputs / "model.safetensors"), strict=True)
    checkpoint = torch.load(outputs / "mlflow-model/artifacts/model.pt", weights_only=True)
    network.load_state_dict(checkpoint["model_state"], strict=True)
    assert checkpoint["model_name"] == "resnet18"
    assert checkpoint["specs"]["labels"] == ["blue", "green", "red"]


def test_a_registered_model_still_says_where_it_comes_from(site: Path, tmp_path: Path) -> None:
    registered = register(site / "runs" / "colours" / "outputs", tmp_path / "root", "colours")
    described = json.loads((site / "runs" / "colours" / "run.json").read_text())
    assert registered.manifest.task == "multiclass"
    assert registered.manifest.origin == {
        "run": "colours",
        "started_from": "random weights",
        "training_data": described["data"]["training"]["sha256"],
        "validation_data": described["data"]["validation"]["sha256"],
    }
    card = (registered.path / "README.md").read_text()
    assert "colours" in card


def test_a_finished_run_asked_again_ends_well_and_another_job_is_refused(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(site)
    assert main(["run", "colours.yml"]) == 0
    assert "had finished already" in capsys.readouterr().err
    job = yaml.safe_load((site / "colours.yml").read_text())
    job["training_parameters"]["number_of_epochs"] = 7
    (site / "other.yml").write_text(yaml.safe_dump(job))
    assert main(["run", "other.yml"]) == 3
    assert "hyperparameters.number_of_epochs was 3 and is 7" in capsys.readouterr().err


def test_a_run_goes_on_from_another_with_labels_by_name(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(site)
    write_coloured_job(site, "more", number_of_epochs=1, checkpoint_run_id="colours", seed=1)
    assert main(["run", "more.yml"]) == 0
    said = capsys.readouterr().err
    assert "starts from runs/colours/outputs (sha256 " in said
    assert "the head for blue, green, red" in said
    described = json.loads((site / "runs" / "more" / "run.json").read_text())
    assert described["started_from"]["fresh"] == []


def test_sigterm_ends_a_run_well_and_kills_lose_nothing(site: Path, tmp_path: Path) -> None:
    write_coloured_job(tmp_path)
    command = [sys.executable, "-m", "training", "run", "colours.yml"]
    run = tmp_path / "runs" / "colours"
    signals = [signal.SIGTERM, signal.SIGKILL]
    for number, each in enumerate(signals):
        with subprocess.Popen(command, cwd=tmp_path, env=training_environment(), stderr=subprocess.PIPE) as process:
            # the first after its first epoch, the second after the next
            _wait(lambda: (run / "metrics.jsonl").exists() and len(_lines(run)) > number)  # noqa: B023
            process.send_signal(each)
            process.communicate(timeout=60)
        assert process.returncode == (0 if each == signal.SIGTERM else -signal.SIGKILL)
    done = run_training(tmp_path, "run", "colours.yml")
    assert done.returncode == 0, done.stderr
    assert "going on at epoch" in done.stderr
    unbroken, broken = (load_file(folder / "runs/colours/outputs/model.safetensors") for folder in (site, tmp_path))
    assert unbroken.keys() == broken.keys()
    assert all(torch.equal(unbroken[name], broken[name]) for name in unbroken)


def _lines(run: Path) -> list[str]:
    return (run / "metrics.jsonl").read_text().splitlines()


def _wait(happened: Any) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training_data": "missing.jsonl"}, "missing.jsonl does not exist"),
        ({"task": "image_object_detection"}, "resnet18"),
        ({"training_parameters": {"model_name": "resnet19"}}, "Did you mean 'resnet18'"),
        ({"training_parameters": {"model_name": "resnet18", "learning_rat": 1}}, "learning_rate"),
    ],
    ids=["data", "task", "model", "parameter"],
)
def test_a_job_that_cannot_run_is_refused_and_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_coloured_job(tmp_path)
    job = yaml.safe_load((tmp_path / "colours.yml").read_text())
    (tmp_path / "colours.yml").write_text(yaml.safe_dump({**job, **change}))
    assert main(["run", "colours.yml"]) == 3
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs" / "colours" / "outputs").exists()


def test_sigterm_before_the_first_step_ends_a_run_well(tmp_path: Path) -> None:
    write_coloured_job(tmp_path, count=1500)
    command = [sys.executable, "-m", "training", "run", "colours.yml"]
    with subprocess.Popen(command, cwd=tmp_path, env=training_environment(), stderr=subprocess.PIPE) as process:
        _wait((tmp_path / "runs" / "colours" / ".lock").exists)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert b"stopped; the same command goes on" in errors
    assert b"epoch 1" not in errors


def test_nothing_is_left_to_remove_after_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = read_job(write_coloured_job(tmp_path, count=12, number_of_epochs=1))
    describe, left = RunFolder.describe, []

    def watched(folder: RunFolder, description: dict[str, Any]) -> None:
        if description["state"] == "finished":
            left.append((folder.path / "decoded").exists())
        describe(folder, description)

    monkeypatch.setattr(RunFolder, "describe", watched)
    run_job(job, RunOptions(ImageStore, tmp_path / "runs"), ProgressReport(stream=StringIO()))
    assert left == [False], "a run that is killed now is finished"


@pytest.mark.parametrize(("given", "taken"), [(None, "20000"), ("7", "7")])
def test_threads_wait_for_each_other_as_those_of_engines_do(
    given: str | None, taken: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", given or "")
    if given is None:
        monkeypatch.delenv("GOMP_SPINCOUNT")
    assert main(["run", str(tmp_path / "none.yml")]) == 3
    assert os.environ["GOMP_SPINCOUNT"] == taken
