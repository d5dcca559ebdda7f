"""The page of a run: what was trained from what, how well, where it fails, and every setting."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data.drawing.axes import shown_number
from data.drawing.colours import label_colour
from data.drawing.html_page import chip, document, escaped, facts, table
from data.drawing.vector_drawing import VectorDrawing
from training.reports.charts import NOTHING, confusion_of, matrix_names
from training.reports.run_record import RunRecord, Values, number

_CURVES = ("losses", "metrics", "precision_recall", "learning_rate")
_COUNTS = ("images", "predicted", "objects")  # among the numbers of a label
_MOST_PAIRS = 12


def report_page(record: RunRecord, charts: Mapping[str, VectorDrawing], worst: Sequence[str]) -> str:
    """Return the page; `charts` are those of `run_charts`, `worst` figures of the worst predictions, as HTML."""
    run = record.run
    what = ", ".join(str(part) for part in (run.get("model_name"), record.task) if part)
    state = "" if record.is_finished else '<p class="fault">This run has not finished.</p>'
    body = (
        f'<h1>{escaped(record.name)}</h1><p class="faint">{escaped(what)}</p>{state}{facts(_facts(record))}'
        + _charts("Epochs", [charts[name] for name in _CURVES if name in charts])
        + _confusion(record, charts)
        + _labels(record, charts)
        + _worst(record, worst)
        + _origin(record)
        + '<div class="charts">'
        + _settings("Metrics of the best epoch", record.evaluation.get("metrics") or {})
        + _settings("Hyperparameters", run.get("hyperparameters") or {})
        + "</div>"
        + _faults(record.faults)
    )
    return document(f"{record.name}: training report", body)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.3g} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    run, found = record.run, []
    metric = record.primary_metric
    best = record.best(metric)
    if best is not None:
        found.append((f"{best:.4f}", metric))
    if record.best_epoch is not None:
        epochs = [epoch for epoch, _ in record.history("epoch")]
        found.append((f"{record.best_epoch:.0f}", f"best epoch, of 0 to {max(epochs):.0f}" if epochs else "best epoch"))
    for part in ("training", "validation"):
        count = number(((run.get("data") or {}).get(part) or {}).get("images"))
        if count is not None:
            found.append((f"{count:,.0f}", f"{part} image{'' if count == 1 else 's'}"))
    if record.labels:
        found.append((f"{len(record.labels):,}", "labels"))
    seconds = number(run.get("seconds"))
    if seconds is not None:
        found.append((duration(seconds), "of training"))
    device = " ".join(str(run[name]) for name in ("device", "precision") if run.get(name))
    return found + ([(device, "device and precision")] if device else [])


def _charts(title: str, drawings: Sequence[VectorDrawing]) -> str:
    inside = "".join(f"<div>{drawing.svg()}</div>" for drawing in drawings)
    return f'<h2>{escaped(title)}</h2><div class="curves">{inside}</div>' if drawings else ""


def _confusion(record: RunRecord, charts: Mapping[str, VectorDrawing]) -> str:
    counts = confusion_of(record)
    if counts is None or "confusion" not in charts:
        return ""
    names = matrix_names(record, counts)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [divmod(int(place), len(counts)) for place in order if wrong.flat[place] > 0]
    rows = [
        [
            _label(names[row]),
            _label(names[column]),
            f"{int(counts[row, column]):,}",
            f"{counts[row, column] / max(int(counts[row].sum()), 1):.1%}",
        ]
        for row, column in pairs
    ]
    mistakes = table(["truth", "predicted as", "how often", "of this truth"], rows, numbers=[2, 3])
    beside = f"<div><h3>Most frequent mistakes</h3>{mistakes}</div>" if rows else ""
    return f'<h2>Confusion</h2><div class="charts"><div>{charts["confusion"].svg()}</div>{beside}</div>'


def _label(name: str) -> str:
    return chip(name, None if name == NOTHING else label_colour(name))


def _labels(record: RunRecord, charts: Mapping[str, VectorDrawing]) -> str:
    per_label: Mapping[str, Values] = record.evaluation.get("per_label") or {}
    if not per_label:
        return ""
    columns = list(dict.fromkeys(name for values in per_label.values() for name in values))
    rows = [
        [_label(str(label)), *(_shown(name, values.get(name)) for name in columns)]
        for label, values in per_label.items()
    ]
    numbers = table(["label", *columns], rows, numbers=range(1, len(columns) + 1))
    drawings = [charts[name].svg() for name in ("labels", "precision_recall_by_label") if name in charts]
    inside = "".join(f'<div class="scroll">{drawing}</div>' for drawing in drawings)
    gap = "<br>" if drawings else ""
    return f'<h2>Labels</h2><div class="charts">{inside}</div>{gap}{numbers}'


def _worst(record: RunRecord, figures: Sequence[str]) -> str:
    if not figures:
        return ""
    objects = record.task in ("detection", "segmentation")
    text = (
        "On the left what is there, on the right what was predicted with a score of at least 0.5."
        if objects
        else "The validation images with the highest loss."
    )
    kind = "images wide" if objects else "images"
    return f'<h2>Worst predictions</h2><p class="faint">{text}</p><div class="{kind}">{"".join(figures)}</div>'


def _origin(record: RunRecord) -> str:
    rows = [[escaped(name), _value(value)] for name, value in origin(record.run)]
    return f"<h2>Trained from</h2>{table(['', ''], rows, whole=True)}" if rows else ""


def origin(run: Values) -> list[tuple[str, Any]]:
    """Return what a run was trained from and with, as names and values."""
    found: list[tuple[str, Any]] = []
    started = run.get("started_from")
    if isinstance(started, Mapping):
        found += [("started from", started.get("source")), ("sha256 of the weights", started.get("sha256"))]
        found += [(f"tensors {name}", _counted(started.get(name))) for name in ("taken", "fresh")]
    elif started:
        found.append(("started from", started))
    for part in ("training", "validation"):
        values = (run.get("data") or {}).get(part)
        found += [(f"{part} {name}", value) for name, value in values.items()] if isinstance(values, Mapping) else []
    found += [(name, run.get(name)) for name in ("seed", "device", "precision", "started")]
    versions = run.get("versions")
    if isinstance(versions, Mapping):
        found.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return [(name, value) for name, value in found if value not in (None, "")]


def _counted(value: Any) -> Any:
    return len(value) if isinstance(value, (list, Mapping)) else value


def _settings(title: str, values: Any) -> str:
    if not isinstance(values, Mapping) or not values:
        return ""
    rows = [[f"<code>{escaped(name)}</code>", _value(value)] for name, value in values.items()]
    return f"<div><h2>{escaped(title)}</h2>{table(['name', 'value'], rows, whole=True)}</div>"


def _faults(faults: Sequence[Values]) -> str:
    if not faults:
        return ""
    counts = Counter((str(fault.get("fault")), str(fault.get("done"))) for fault in faults)
    rows = [
        [f'<code class="fault">{escaped(code)}</code>', f"{count:,}", escaped(done)]
        for (code, done), count in counts.most_common()
    ]
    return f"<h2>Faults in the data</h2>{table(['fault', 'how often', 'what was done'], rows, numbers=[1])}"


def _value(value: Any) -> str:
    if isinstance(value, float):
        return escaped(f"{value:.6g}")
    return escaped(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _shown(name: str, value: Any) -> str:
    found = number(value)
    if found is None:
        return ""
    return escaped(shown_number(found) if name in _COUNTS else f"{found:.4f}")
