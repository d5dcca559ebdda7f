"""The kinds of demo model. Each file in `tasks/` defines one as `TASK`."""

import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from examples.fridge import tasks
from models.folder.manifest import TaskName

JOBS = Path(__file__).parent / "jobs"


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """Images that are drawn for a demo into the folder `name`.

    block: which block of seeds. count: how many. size: width and height in pixels. closeups: a folder for crops of the
    objects, with a label each, if the demo also learns from these.
    """

    name: str
    block: int
    count: int
    size: tuple[int, int]
    closeups: str | None = None


@dataclass(frozen=True, slots=True)
class DemoTask:
    """A kind of model.

    task: what its images are labelled for. sets: what is drawn; the last one is only evaluated with. jobs: names of
    files in `jobs/`; each job starts from the model of the one before it, and the last one's is the demo. metric: how
    good the model is, by its name in metrics.jsonl. least: the lowest of a usable model. more_metrics: others that are
    printed. several_objects: whether the images to try show 1 to 4 objects instead of one.
    """

    task: TaskName
    sets: tuple[DrawnSet, ...]
    jobs: tuple[str, ...]
    metric: str
    least: float
    more_metrics: tuple[str, ...] = ()
    several_objects: bool = False

    def job_files(self) -> list[Path]:
        """Return the job files, in the order in which they run."""
        return [JOBS / f"{name}.yml" for name in self.jobs]


def task_names() -> list[str]:
    """Return the names of the tasks, which are those of their files."""
    return sorted(module.name for module in pkgutil.iter_modules(tasks.__path__))


def find_task(name: str) -> DemoTask:
    """Return the task of that name; ModuleNotFoundError where there is none."""
    task: DemoTask = import_module(f"{tasks.__name__}.{name}").TASK
    return task
