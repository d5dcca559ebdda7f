"""The kinds of demo model. Each file in `tasks/` defines one as `TASK`."""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from examples.fridge import tasks


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model, and how good it is on images that training never saw.

    checkpoint: the content of model.pt. settings: the content of settings.json. score: the main metric, in [0, 1].
    details: more figures for card.json, plain JSON values.
    """

    checkpoint: Mapping[str, Any]
    settings: Mapping[str, float]
    score: float
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoTask:
    """A kind of model.

    automl_name: the task in MLmodel. outputs: the columns that it predicts. recipe: all numbers that decide the result,
    plain JSON values. metric: what the score is, such as "accuracy". least: the lowest score of a usable model. train:
    makes the model from a seed; only this call imports PyTorch. more_metrics: other numbers in [0, 1] among the details
    that are printed. several_objects: whether the images to try show 1 to 4 objects instead of one.
    """

    automl_name: str
    outputs: tuple[str, ...]
    recipe: Mapping[str, Any]
    metric: str
    least: float
    train: Callable[[int], TrainedModel]
    more_metrics: tuple[str, ...] = ()
    several_objects: bool = False


def task_names() -> list[str]:
    """Return the names of the tasks, which are those of their files."""
    return sorted(module.name for module in pkgutil.iter_modules(tasks.__path__))


def find_task(name: str) -> DemoTask:
    """Return the task of that name; ModuleNotFoundError where there is none."""
    task: DemoTask = import_module(f"{tasks.__name__}.{name}").TASK
    return task
