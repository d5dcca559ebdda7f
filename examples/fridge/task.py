"""What a kind of demo model is: a task in `tasks/` is one file that defines `TASK`."""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from examples.fridge import tasks


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model: what model.pt holds, and how well it does on pictures it never saw.

    checkpoint: the content of model.pt. settings: the content of settings.json. score: one number in [0, 1], the
    first thing anybody asks about. details: more figures for card.json, plain JSON values.
    """

    checkpoint: Mapping[str, Any]
    settings: Mapping[str, float]
    score: float
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoTask:
    """A kind of model.

    automl_name: what MLmodel calls the task. outputs: the columns it predicts. recipe: all that decides the result
    beside the source code, plain JSON values. measure: what the score is, such as "accuracy". least: the score
    under which the model is no good. train: makes the model from a seed; only calling it may import PyTorch.
    also: other numbers in [0, 1] among the details worth a first glance. crowded: whether the pictures to try show 1 to
    4 objects each, instead of one.
    """

    automl_name: str
    outputs: tuple[str, ...]
    recipe: Mapping[str, Any]
    measure: str
    least: float
    train: Callable[[int], Trained]
    also: tuple[str, ...] = ()
    crowded: bool = False


def task_names() -> list[str]:
    """List the tasks there are, by their files."""
    return sorted(module.name for module in pkgutil.iter_modules(tasks.__path__))


def find_task(name: str) -> DemoTask:
    """Return the task of that name; ModuleNotFoundError where there is none."""
    task: DemoTask = import_module(f"{tasks.__name__}.{name}").TASK
    return task
