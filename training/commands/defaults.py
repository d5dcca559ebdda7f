"""training defaults: the effective hyperparameters of a model."""

import argparse
import json
from typing import Any

from data.command import Command
from settings.errors import SettingsError
from training.job_files.tasks import HOSTED_TASKS, task_of


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", help="the name of a model, or a folder of transformers; by default that of the task"
    )
    parser.add_argument("--task", help=f"{', '.join(HOSTED_TASKS)}; by default the first that the model is for")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def _run(options: argparse.Namespace) -> int:
    # imports PyTorch, which --help does not need
    from training.hyperparameters.describe import effective

    task = task_of(options.task) if options.task is not None else None
    if options.task is not None and task is None:
        raise SettingsError(f"--task is {options.task!r}; expected one of {', '.join(HOSTED_TASKS)}.")
    model, task, found = effective(options.model, task)
    if options.json:
        parameters: dict[str, Any] = {
            each.names[0]: {
                "value": each.value,
                "accepts": each.accepts,
                "origin": each.origin,
                "other_names": each.names[1:],
                "meaning": each.meaning,
            }
            for each in found
        }
        print(json.dumps({"model_name": model, "task": task, "hyperparameters": parameters}, indent=2))
        return 0
    print(f"{model} for {task}")
    rows = [(each.names[0], each.value_text, each.origin, each.accepts) for each in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row, each in zip(rows, found, strict=True):
        cells = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        other = f" (also {', '.join(each.names[1:])})" if len(each.names) > 1 else ""
        print(f"  {cells}  {each.accepts}{other}")
    return 0


COMMAND = Command("defaults", "print the hyperparameters of a model that a job gives none of", _configure, _run)
