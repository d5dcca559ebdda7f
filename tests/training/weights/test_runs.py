from pathlib import Path

import pytest

from training.errors import TrainingError
from training.hyperparameters.resolution import resolve
from training.weights.runs import weights_of_job, weights_of_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "fridge" / "outputs").mkdir(parents=True)
    (tmp_path / "runs" / "fridge" / "run.json").touch()
    (tmp_path / "runs" / "begun").mkdir()
    (tmp_path / "runs" / "begun" / "run.json").touch()
    return tmp_path / "runs"


def test_a_run_is_named_in_several_ways(runs: Path) -> None:
    outputs = runs / "fridge" / "outputs"
    for run in ("fridge", str(runs / "fridge"), str(outputs)):
        assert weights_of_run(run, runs) == outputs


def test_a_folder_of_the_name_of_a_run_is_not_taken_for_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (runs.parent / "fridge").mkdir()
    monkeypatch.chdir(runs.parent)
    assert weights_of_run("fridge", Path("runs")) == Path("runs/fridge/outputs")
    (runs.parent / "other").mkdir()
    with pytest.raises(TrainingError, match="There is no run 'other'"):
        weights_of_run("other", Path("runs"))


def test_a_run_without_outputs_is_refused(runs: Path) -> None:
    with pytest.raises(TrainingError, match="has no outputs yet"):
        weights_of_run("begun", runs)
    with pytest.raises(TrainingError, match="There is no run 'other'"):
        weights_of_run("other", runs)


def test_a_job_names_its_checkpoint(runs: Path) -> None:
    def weights(**given: str) -> Path | None:
        return weights_of_job(resolve("resnet18", "multiclass", given, "job.yml")[1], runs.parent, runs)

    assert weights() is None
    assert weights(checkpoint_run_id="fridge") == runs / "fridge" / "outputs"
    (runs.parent / "model.pt").touch()
    assert weights(checkpoint_dataset_id=".", checkpoint_filename="model.pt") == runs.parent / "model.pt"
    with pytest.raises(TrainingError, match="which does not exist"):
        weights(checkpoint_dataset_id=".", checkpoint_filename="other.pt")
