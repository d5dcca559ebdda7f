import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from data.progress import ProgressReport
from tests.support.training.coloured_images import small_hyperparameters, small_recipe, small_setup
from training.errors import TrainingError
from training.loop.loop import TrainingLoop
from training.loop.processes import Processes
from training.loop.stopping import StopRequest
from training.moving_average import MovingAverage
from training.recipe import Evaluation
from training.runs.folder import RunFolder


class StopAfter(StopRequest):
    """Asks to stop after some steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    @property
    def asked(self) -> bool:
        self._left -= 1
        return self._left <= 0

    @asked.setter
    def asked(self, value: bool) -> None:
        pass


def _loop(folder: Path, data: Path, **given: Any) -> tuple[TrainingLoop, Any, RunFolder]:
    parameters = small_hyperparameters(**given)
    recipe = small_recipe(small_setup(data, parameters))
    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    report = ProgressReport(stream=StringIO())
    loop = TrainingLoop(
        recipe, parameters, run, processes=Processes(), device=torch.device("cpu"), precision="fp32", report=report
    )
    return loop, recipe, run


def _weights(network: nn.Module) -> bytes:
    return b"".join(tensor.detach().numpy().tobytes() for tensor in network.state_dict().values())


def test_a_network_learns_and_every_epoch_is_written(tmp_path: Path) -> None:
    loop, _, run = _loop(tmp_path / "run", tmp_path, number_of_epochs=8)
    assert loop.run(StopRequest())
    lines = run.metrics()
    assert [line["epoch"] for line in lines] == list(range(8))
    assert lines[-1]["accuracy"] == 1.0
    assert lines[-1]["log_loss_train"] < lines[0]["log_loss_train"] / 2
    assert json.loads((run.path / "evaluation.json").read_text())["epoch"] == loop.best_epoch
    assert len((run.path / "predictions.jsonl").read_text().splitlines()) == 9


@pytest.mark.parametrize("given", [{}, {"optimizer": "adamw"}, {"grad_accumulation_step": 3}], ids=str)
def test_a_run_that_is_stopped_anywhere_ends_with_the_same_bits(tmp_path: Path, given: dict[str, Any]) -> None:
    loop, recipe, unbroken = _loop(tmp_path / "unbroken", tmp_path, **given)
    loop.run(StopRequest())
    for steps in (1, 3, 4, 7):
        folder = tmp_path / f"stopped_{steps}"
        tries = 0
        while True:
            broken, other, run = _loop(folder, tmp_path, **given)
            tries += 1
            if broken.run(StopAfter(steps) if tries < 6 else StopRequest()):
                break
        assert tries > 1
        assert _weights(other.network) == _weights(recipe.network)
        assert _weightless(run.metrics()) == _weightless(unbroken.metrics())


def _weightless(lines: list[dict[str, float]]) -> list[dict[str, float]]:
    timed = ("second", "waiting")
    return [{name: value for name, value in line.items() if not any(word in name for word in timed)} for line in lines]


def test_a_moving_average_goes_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "training.classification.recipe.ClassifierRecipe.average", lambda self, network: MovingAverage(network, ramp=5)
    )
    loop, _, run = _loop(tmp_path / "unbroken", tmp_path)
    loop.run(StopRequest())
    broken, _, _ = _loop(tmp_path / "stopped", tmp_path)
    assert not broken.run(StopAfter(6))
    again, _, other = _loop(tmp_path / "stopped", tmp_path)
    assert again.run(StopRequest())
    pairs = zip(run.best()["network"].values(), other.best()["network"].values(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_a_loss_that_is_not_finite_ends_the_run_within_the_step(tmp_path: Path) -> None:
    loop, recipe, _ = _loop(tmp_path / "run", tmp_path)
    nn.init.constant_(recipe.network[0].weight, float("nan"))
    with pytest.raises(TrainingError, match=r"is nan in epoch 1, step 1.*Lower learning_rate \(now 0\.05\)"):
        loop.run(StopRequest())


def test_evaluations_and_early_stopping_follow_the_hyperparameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.classification.recipe.ClassifierRecipe.evaluate", lambda self, network: Evaluation({"accuracy": 0.5})
    )
    every_third, _, run = _loop(tmp_path / "third", tmp_path, number_of_epochs=6, evaluation_frequency=3)
    every_third.run(StopRequest())
    assert [line["epoch"] for line in run.metrics()] == [0, 3, 5]
    stopped, _, run = _loop(
        tmp_path / "early", tmp_path, number_of_epochs=9, early_stopping_delay=2, early_stopping_patience=2
    )
    stopped.run(StopRequest())
    assert [line["epoch"] for line in run.metrics()] == [0, 1, 2, 3]
    assert stopped.best_epoch == 3  # of equally good epochs the latest


def test_time_that_is_over_ends_the_run_after_its_epoch(tmp_path: Path) -> None:
    parameters = small_hyperparameters(number_of_epochs=50)
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    loop = TrainingLoop(
        small_recipe(small_setup(tmp_path, parameters)),
        parameters,
        run,
        processes=Processes(),
        device=torch.device("cpu"),
        precision="fp32",
        report=ProgressReport(stream=StringIO()),
        timeout_s=0.01,
    )
    assert loop.run(StopRequest())
    assert 1 <= len(run.metrics()) < 50


def test_without_metrics_every_epoch_is_the_best_and_none_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.classification.recipe.ClassifierRecipe.evaluate", lambda *_: Evaluation({}))
    loop, _, run = _loop(
        tmp_path / "run",
        tmp_path,
        number_of_epochs=4,
        early_stopping=True,
        early_stopping_patience=1,
        early_stopping_delay=0,
    )
    assert loop.run(StopRequest())
    assert [line["epoch"] for line in run.metrics()] == [0, 1, 2, 3]
    assert loop.best_epoch == 3
    assert json.loads((run.path / "evaluation.json").read_text())["epoch"] == 3
