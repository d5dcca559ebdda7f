"""Finds the recipe of a network by its name."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from models.discovery import constants
from models.folder.manifest import TaskName
from settings.expectation import did_you_mean
from training import recipes
from training.errors import TrainingError
from training.recipe import RecipeFamily


def recipe_names() -> tuple[str, ...]:
    """List every name that can be trained; a `*` stands for the names that a library knows."""
    return tuple(name for family in _families() for name in family.names)


def recipe_family(model_name: str, task: TaskName) -> RecipeFamily:
    """Return the recipe of a network; TrainingError with near matches where there is none for the task."""
    for family in _families():
        if any(fnmatchcase(model_name, pattern) for pattern in family.names):
            if task not in family.tasks:
                raise TrainingError(
                    f"The model {model_name!r} is for {' or '.join(family.tasks)}, but the job's task is {task}. "
                    "Correct one of the two."
                )
            return family
    known = recipe_names()
    near = did_you_mean(model_name.lower(), known)
    raise TrainingError(f"The model {model_name!r} cannot be trained.{near} Known: {', '.join(known)}.")


def _families() -> Iterator[RecipeFamily]:
    return (family for _, family in constants(recipes, "RECIPE"))
