"""Runs to go on from: the best weights of an earlier run, for incremental training."""

from pathlib import Path

from training.errors import TrainingError
from training.hyperparameters.general import Hyperparameters

RUNS = Path("runs")
"""The folder of all runs, in the working directory."""

_OUTPUTS = "outputs"
_RECORD = "run.json"


def weights_of_run(run: str, runs: Path = RUNS) -> Path:
    """Return the model folder of a run's best epoch. `run` is its name, its folder, or the outputs in that.

    TrainingError where there is none, or where the run has published no model yet.
    """
    named = (Path(run), runs / run)
    for folder in named:
        if (folder / _OUTPUTS).is_dir():
            return folder / _OUTPUTS
        if (folder / _RECORD).is_file():
            raise TrainingError(
                f"The run {folder} has no outputs yet: it has not finished. Run its job again, which goes on where it "
                "stopped, or name a file of weights with --weights."
            )
    # outputs themselves, looked for last: a folder of data may bear the name of a run
    if (Path(run).parent / _RECORD).is_file():
        return Path(run)
    raise TrainingError(
        f"There is no run {run!r}: neither {named[0]} nor {named[1]} is its folder. Name a folder below {runs}, or "
        "give other weights with --weights."
    )


def weights_of_job(hyperparameters: Hyperparameters, home: Path, runs: Path = RUNS) -> Path | None:
    """Return the weights that a job names by its `checkpoint_...` hyperparameters, or None.

    A folder of `checkpoint_dataset_id` is relative to `home`, that of the job file.
    """
    if hyperparameters.checkpoint_run_id is not None:
        return weights_of_run(hyperparameters.checkpoint_run_id, runs)
    folder, name = hyperparameters.checkpoint_dataset_id, hyperparameters.checkpoint_filename
    if folder is None or name is None:
        return None
    path = home / folder / name
    if not path.exists():
        raise TrainingError(f"checkpoint_dataset_id and checkpoint_filename name {path}, which does not exist.")
    return path
