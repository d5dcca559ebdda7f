"""The card of a model: what it is, what it was trained from, how good it is, and how to serve it. In Markdown."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from settings.excerpt import counted
from training.reports.report_page import duration, origin
from training.reports.run_record import RunRecord, Values, number

_MOST_LABELS = 50
_TASKS = {
    "multiclass": "says which one of its labels an image has",
    "multilabel": "says which of its labels an image has",
    "detection": "finds objects in images, with a box and a label each",
    "segmentation": "finds objects in images, with a box, a label and an outline each",
}


def write_card(folder: Path, file: Path) -> None:
    """Write the card of the model that a run in `folder` left, from the files of the run.

    TrainingError where the folder holds no run or a damaged one, OSError where the card cannot be written.
    """
    file.write_text(card(RunRecord.read(folder)), encoding="utf-8", errors="replace")


def card(record: RunRecord) -> str:
    """Return the card of a run's model."""
    run = record.run
    lines = [f"# {_line(record.name)}", ""]
    model, what = _line(run.get("model_name") or "This model"), _TASKS.get(record.task, "")
    lines += [f"{model}{' ' + what if what else ''}.", ""]
    lines += _serving(record)
    lines += _quality(record)
    lines += ["## Training", "", *_table(("what", "value"), [(name, _text(value)) for name, value in origin(run)])]
    seconds = number(run.get("seconds"))
    if seconds is not None:
        lines += [f"It took {duration(seconds)}.", ""]
    hyperparameters = run.get("hyperparameters")
    if isinstance(hyperparameters, Mapping) and hyperparameters:
        rows = [(f"`{_line(name)}`", _text(value)) for name, value in hyperparameters.items()]
        lines += ["## Hyperparameters", "", *_table(("name", "value"), rows)]
    return "\n".join(lines).rstrip() + "\n"


def _serving(record: RunRecord) -> list[str]:
    name = record.name if record.name.isidentifier() else "my_model"
    return [
        "## Serving",
        "",
        "In the folder of the run:",
        "",
        "```sh",
        f"python -m models register outputs --name {name}",
        "python -m server --model outputs",
        "```",
        "",
    ]


def _quality(record: RunRecord) -> list[str]:
    metrics = record.evaluation.get("metrics") or {}
    if not metrics:
        return []
    first = record.primary_metric
    names = sorted(metrics, key=lambda name: (name != first, name))
    rows = [(f"`{_line(name)}`", f"{value:.4f}") for name in names if (value := number(metrics[name])) is not None]
    epoch = "" if record.best_epoch is None else f" after epoch {record.best_epoch:.0f}, counted from 0"
    lines = ["## Quality", "", f"On the validation images{epoch}:", "", *_table(("metric", "value"), rows)]
    per_label: Mapping[str, Values] = record.evaluation.get("per_label") or {}
    columns = list(dict.fromkeys(name for values in per_label.values() for name in values))
    if columns:
        shown = list(per_label.items())[:_MOST_LABELS]
        lines += _table(
            ("label", *map(_line, columns)),
            [(_line(label), *(_number(values.get(name)) for name in columns)) for label, values in shown],
        )
        if len(per_label) > len(shown):
            lines += [f"And {counted(len(per_label) - len(shown), 'more label')}.", ""]
    return lines


def _table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    body = [f"| {' | '.join(row)} |" for row in (headers, ("---",) * len(headers), *rows)]
    return [*body, ""]


def _number(value: Any) -> str:
    found = number(value)
    return "" if found is None else f"{found:.4f}".rstrip("0").rstrip(".")


def _text(value: Any) -> str:
    return _line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _line(text: Any) -> str:
    """Return a foreign text as one line that cannot end a cell or begin a tag."""
    return " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
