"""TrainingJob: what a job file asks for, resolved: a task, data, a model and its hyperparameters."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.folder.manifest import TaskName
from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.expectation import did_you_mean
from training.hyperparameters.general import Hyperparameters
from training.hyperparameters.resolution import is_saved_model, resolve, unused
from training.job_files.data_paths import data_path
from training.job_files.description import JobDescription, described
from training.job_files.located import LocatedContent, read_located
from training.job_files.primary_metrics import PRIMARY_METRICS, primary_metric
from training.job_files.rest_form import as_command_line_form
from training.job_files.search_space import fixed_values
from training.job_files.tasks import HOSTED_TASKS, letters, task_of


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One model to train. `roots` are folders by the names of datastores; `notes` are sentences for the log.

    `primary_metric` decides which epoch is the best; `timeout_minutes` is None where training may take any time.
    """

    file: Path
    name: str
    task: TaskName
    model_name: str
    hyperparameters: Hyperparameters
    training_data: Path
    primary_metric: str
    validation_data: Path | None = None
    target_column: str = "label"
    timeout_minutes: float | None = None
    roots: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_job(file: Path) -> TrainingJob:
    """Read a job file in YAML or JSON, of the hosted service's command line or its SDK.

    Paths are relative to the file. SettingsError, with file, line and key, where something is not known or does not
    fit.
    """
    located = read_located(file)
    description = described(located, as_command_line_form(located.content))
    if letters(description.type) != "automl":
        raise SettingsError(f"{located.place('type')} is {excerpt(description.type)}; expected automl.")
    task = _task(located, description.task)
    home = file.absolute().parent
    roots = {name: root if "://" in root else str(home / root) for name, root in description.roots.items()}
    given = _HyperparametersOfJob(located)
    given.gather(description)
    model_name = _model_name(given.values.pop("model_name", None), home)
    name, hyperparameters = resolve(model_name, task, given.values, given.place)
    metric = _metric(located, description.primary_metric, task)
    validation = description.validation_data
    return TrainingJob(
        file=file,
        name=description.name or _name_of(file),
        task=task,
        model_name=name,
        hyperparameters=hyperparameters,
        training_data=data_path(description.training_data.path, home, roots, located.place("training_data")),
        validation_data=(
            data_path(validation.path, home, roots, located.place("validation_data")) if validation else None
        ),
        target_column=description.target_column_name,
        primary_metric=metric,
        timeout_minutes=description.limits.trial_timeout_minutes or description.limits.timeout_minutes,
        roots=roots,
        notes=(
            *unused(given.values, given.place),
            *_notes(located, description),
            *_unmeasured(hyperparameters, metric, given.place),
        ),
    )


class _HyperparametersOfJob:
    """Hyperparameters from all sections of a job file; two sections may not say different things."""

    def __init__(self, file: LocatedContent) -> None:
        self.values: dict[str, Any] = {}
        self._file = file
        self._places: dict[str, tuple[str | int, ...]] = {}

    def place(self, key: str) -> str:
        return self._file.place(*self._places.get(key, ("training_parameters",)))

    def gather(self, description: JobDescription) -> None:
        if description.validation_data_size is not None:
            self._add({"validation_data_size": description.validation_data_size})
        self._add(description.training_parameters, "training_parameters")
        model = dict(description.image_model)
        if "name" in model:  # what old job files call it
            model["model_name"] = model.pop("name")
        self._add(model, "image_model")
        if description.search_space is not None:
            found = fixed_values(self._file, description.search_space, "search_space")
            first = ("search_space", 0) if isinstance(description.search_space, list) else ("search_space",)
            self._add(found, *first)

    def _add(self, values: Mapping[str, Any], *section: str | int) -> None:
        for name, value in values.items():
            if name == "model" and isinstance(value, Mapping):  # a model together with its hyperparameters
                self._add(value, *section, name)
                continue
            if name in self.values and self.values[name] != value:
                raise SettingsError(
                    f"{self._file.place(*section, name)} is {excerpt(value)}, but {self.place(name)} is "
                    f"{excerpt(self.values[name])}. Keep one of the two."
                )
            self.values[name] = value
            self._places[name] = (*section, name)


def _task(file: LocatedContent, given: str) -> TaskName:
    task = task_of(given)
    if task is None:
        hint = did_you_mean(given.lower().replace("-", "_"), HOSTED_TASKS)
        known = ", ".join(HOSTED_TASKS)
        raise SettingsError(f"{file.place('task')} is {excerpt(given)}; expected one of {known}.{hint}")
    return task


def _metric(file: LocatedContent, given: str | None, task: TaskName) -> str:
    metric = primary_metric(given, task)
    if metric is None:
        known = PRIMARY_METRICS[task]
        hint = did_you_mean(str(given), known)
        raise SettingsError(
            f"{file.place('primary_metric')} is {excerpt(given)}; expected one of {', '.join(known)}.{hint}"
        )
    return metric


def _unmeasured(hyperparameters: Hyperparameters, metric: str, place: Callable[[str], str]) -> Iterator[str]:
    """Yield a sentence where the epochs of a job cannot be compared by its primary metric."""
    kind = "validation_metric_type"
    if getattr(hyperparameters, kind, None) == "none":
        yield f"{place(kind)}: {kind!r} is none, so no {metric} is computed, and the last epoch is kept as the best."


def _model_name(given: Any, home: Path) -> str | None:
    """Return the name of a model, or the folder of one of transformers."""
    if given is None:
        return None
    folder = home / str(given)
    return str(folder) if is_saved_model(folder) else str(given)


def _name_of(file: Path) -> str:
    return re.sub("[^A-Za-z0-9._-]+", "-", file.stem).strip("-._") or "job"


def _notes(file: LocatedContent, description: JobDescription) -> list[str]:
    notes = []
    if description.limits.max_trials > 1:
        place = file.place("limits", "max_trials")
        notes.append(f"{place} is {description.limits.max_trials}: one model is trained, with the values given.")
    if description.sweep is not None:
        notes.append(f"{file.place('sweep')} changes nothing: there is nothing to search.")
    return notes
