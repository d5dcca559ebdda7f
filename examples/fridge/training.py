"""Trains a demo: draws its images, runs its jobs one after the other, and returns the folder of the last run."""

import shutil
from pathlib import Path

from data.progress import ProgressReport
from data.sources.image_store import ImageStore
from examples.fridge.closeups import write_closeups
from examples.fridge.dataset import write_dataset
from examples.fridge.seeds import seeds
from examples.fridge.task import DemoTask, DrawnSet


def train_demo(task: DemoTask, seed: int, workspace: Path) -> Path:
    """Draw and train in an empty folder; return the last run's. The jobs are those that anybody may run."""
    # PyTorch takes seconds to load, and a demo that is up to date does not need it
    from training.job import read_job
    from training.runs.options import RunOptions
    from training.runs.run import run_job

    draw_sets(task, seed, workspace)
    source = None
    for job_file in task.job_files():
        shutil.copy(job_file, workspace)
        job = read_job(workspace / job_file.name)
        weights = None if source is None else str(source / "outputs")
        run_job(job, RunOptions(ImageStore, workspace / "runs", weights=weights), ProgressReport())
        source = workspace / "runs" / job.name
    assert source is not None
    return source


def draw_sets(task: DemoTask, seed: int, workspace: Path) -> None:
    """Draw the images of a demo into an empty folder, where its jobs look for them."""
    for drawn in task.sets:
        _draw(drawn, task, seed, workspace)


def _draw(drawn: DrawnSet, task: DemoTask, seed: int, workspace: Path) -> None:
    first = seeds(seed, drawn.block, drawn.count)[0]
    write_dataset(workspace / drawn.name, first, drawn.count, drawn.size, task=task.task)
    if drawn.closeups is not None:
        write_closeups(workspace / drawn.name, workspace / drawn.closeups)
