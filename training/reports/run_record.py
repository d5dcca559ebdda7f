"""RunRecord: what the files of a run say, as far as they are there."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.errors import TrainingError

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as its folder tells it: each field is the file of that name, empty where there is none.

    `is_finished` says that its model is there, or that run.json says so.
    """

    run: Values = field(default_factory=dict)
    metrics: Sequence[Values] = ()
    evaluation: Values = field(default_factory=dict)
    predictions: Sequence[Values] = ()
    faults: Sequence[Values] = ()
    is_finished: bool = False

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """Read a folder; TrainingError where it holds no run, or one of its files is damaged."""
        if not (folder / "run.json").is_file():
            raise TrainingError(f"{folder} holds no run.json. Give the folder of a run, such as runs/NAME.")
        run = _object(folder / "run.json")
        return cls(
            run,
            _lines(folder / "metrics.jsonl"),
            _object(folder / "evaluation.json"),
            _lines(folder / "predictions.jsonl"),
            _lines(folder / "faults.jsonl"),
            run.get("state") == "finished" or (folder / "outputs").is_dir(),
        )

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.run.get("name") or "run")

    @property
    def task(self) -> str:
        """What the model predicts, or an empty text."""
        return str(self.run.get("task") or "")

    @property
    def labels(self) -> list[str]:
        """The labels in the order of training, as texts."""
        return [str(label) for label in self.evaluation.get("labels") or self.run.get("labels") or ()]

    @property
    def primary_metric(self) -> str:
        """The name of the metric by which the best epoch was chosen, or an empty text."""
        return str(self.evaluation.get("primary_metric") or self.run.get("primary_metric") or "")

    @property
    def best_epoch(self) -> float | None:
        """The epoch of the best network."""
        return number(self.evaluation.get("epoch"))

    def best(self, metric: str) -> float | None:
        """Return a metric of the best network; None where it has none."""
        return number((self.evaluation.get("metrics") or {}).get(metric))

    def history(self, metric: str) -> list[tuple[float, float]]:
        """Return (epoch, value) of each line that has a metric."""
        pairs = ((number(line.get("epoch")), number(line.get(metric))) for line in self.metrics)
        return [(epoch, value) for epoch, value in pairs if epoch is not None and value is not None]


def number(value: Any) -> float | None:
    """Return a finite number as a float, and None for all else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _object(file: Path) -> Values:
    if not file.is_file():
        return {}
    found = _parsed(file, file.read_bytes())
    return found if isinstance(found, dict) else {}


def _lines(file: Path) -> list[Values]:
    if not file.is_file():
        return []
    found = [_parsed(file, line) for line in file.read_bytes().splitlines() if line.strip()]
    return [each for each in found if isinstance(each, dict)]


def _parsed(file: Path, text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TrainingError(f"{file} is damaged: {error}. Restore it, or remove it.") from None
