"""RunFolder: what a run leaves on the disk, written so that a run that is killed at any moment can go on.

run.json            what was trained from what: every setting resolved, seed, versions, hashes
metrics.jsonl       a line for each evaluated epoch
last/, best/        states: where the run goes on; the best network, its evaluation and its predictions
train.jsonl, valid.jsonl, faults.jsonl
outputs/            the model folder, once the run has finished
"""

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.dataset import CheckedImage
from data.format import PlacedImage
from data.json_lines.writing import write_lines
from models.folder.manifest import TaskName
from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.json_file import JsonFile
from training.errors import TrainingError
from training.runs.state_file import load_state, remove_leftovers, replaced, save_state

_STATE = "state.safetensors"


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outputs = path / "outputs"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from the folder within a `with` block; TrainingError where it cannot be made or is in use."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise TrainingError(
                f"The run folder {self.path} cannot be written: {error.strerror}. Start the run in another folder, or "
                "name one with --runs."
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise TrainingError(
                    f"{self.path} is in use by another process. Wait for it, or give the job another name."
                ) from None
            for part in (self.path, *(self.path / name for name in ("last", "best", "charts"))):
                remove_leftovers(part)
            yield

    def description(self) -> dict[str, Any] | None:
        """Return the content of run.json; None where no run has started here. TrainingError where it is damaged."""
        file = self.path / "run.json"
        if not file.exists():
            return None
        try:
            return JsonFile.read(file).content
        except SettingsError as error:
            raise TrainingError(f"{error} Or remove the folder {self.path} to start anew.") from None

    def describe(self, description: Mapping[str, Any]) -> None:
        """Write run.json."""
        self.write_text("run.json", json.dumps(description, indent=2, ensure_ascii=False) + "\n")

    def last(self) -> dict[str, Any] | None:
        """Return the state where the run goes on; None at its start."""
        file = self.path / "last" / _STATE
        return load_state(file) if file.exists() else None

    def save_last(self, state: Mapping[str, Any]) -> None:
        """Keep the state where the run goes on."""
        save_state(self.path / "last" / _STATE, state)

    def best(self) -> dict[str, Any]:
        """Return the weights of the best epoch; TrainingError where there are none."""
        return load_state(self.path / "best" / _STATE)

    def save_best(self, weights: Mapping[str, Any], evaluation: Mapping[str, Any], predictions: Iterable[Any]) -> None:
        """Keep the best weights so far with what their evaluation said."""
        save_state(self.path / "best" / _STATE, weights)
        self.write_text("evaluation.json", json.dumps(evaluation, indent=1, ensure_ascii=False) + "\n")
        self.write_lines("predictions.jsonl", predictions)

    def evaluation(self) -> dict[str, Any]:
        """Return what the evaluation of the best epoch said; TrainingError where it is damaged."""
        try:
            evaluation: dict[str, Any] = json.loads((self.path / "evaluation.json").read_bytes())
            evaluation["epoch"], evaluation["primary_metric"], {**evaluation["metrics"]}
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            raise self._damaged("evaluation.json", error) from None
        return evaluation

    def write_images(
        self, training: Sequence[CheckedImage], validation: Sequence[CheckedImage], task: TaskName
    ) -> None:
        """Write train.jsonl and valid.jsonl, whose images are named by the absolute paths of their files."""
        for name, images in (("train.jsonl", training), ("valid.jsonl", validation)):
            with replaced(self.path / name) as fresh, fresh.open("wb") as stream:
                placed = (PlacedImage(replace(each.image, url=str(each.file.absolute()))) for each in images)
                write_lines(placed, task, stream)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl; TrainingError where it is damaged."""
        file = self.path / "metrics.jsonl"
        try:
            lines = [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
        except ValueError as error:
            raise self._damaged(file.name, error) from None
        if not all(isinstance(line, dict) and isinstance(line.get("epoch"), int) for line in lines):
            raise self._damaged(file.name, "a line without epoch")
        return lines

    def next_epoch(self) -> int:
        """Return the epoch after the last one in metrics.jsonl, counted from 0; not every epoch is evaluated."""
        lines = self.metrics()
        return int(lines[-1]["epoch"]) + 1 if lines else 0

    def _damaged(self, name: str, why: object) -> TrainingError:
        return TrainingError(f"{self.path / name} is damaged ({why}). Remove the folder {self.path} to start anew.")

    def write_lines(self, name: str, lines: Iterable[Any]) -> None:
        """Write a file with a line of JSON for each value."""
        self.write_text(name, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    def write_text(self, name: str, text: str) -> None:
        """Write a file of the run, whole or not at all."""
        with replaced(self.path / name) as fresh:
            fresh.write_text(text, encoding="utf-8")


def refuse_changes(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise TrainingError where a run that has started is asked for again with other `inputs`."""
    changed = [name for name in (*before, *(name for name in now if name not in before)) if _differs(before, now, name)]
    if changed:
        sentences = ", ".join(f"{name} was {_shown(before, name)} and is {_shown(now, name)}" for name in changed[:4])
        raise TrainingError(
            f"{path} holds a run of another job: {sentences}. Give the job another name, or remove the folder."
        )


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with names such as "data.training.sha256"."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flattened(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _differs(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> bool:
    return bool(before.get(name) != now.get(name))


def _shown(values: Mapping[str, Any], name: str) -> str:
    return excerpt(values[name]) if name in values else "not there"
