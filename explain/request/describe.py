"""Describes ExplanationParameters: the tables in the docs, made from the fields that requests are checked with."""

from dataclasses import dataclass
from typing import Any, get_args

from explain.rendering import visualizations
from explain.rendering.colours import COLOUR_MAPS
from explain.request.parameter_types import AlgorithmName
from explain.request.parameters import ExplanationParameters, default
from models.discovery import constants
from settings.expectation import expectation

ALGORITHMS: tuple[str, ...] = get_args(AlgorithmName)


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One parameter in words; `applies_to` names the algorithms that it has an effect on."""

    key: str
    accepts: str
    default: str
    applies_to: tuple[str, ...]
    meaning: str


def parameter_rows() -> tuple[ParameterRow, ...]:
    """Describe every parameter, in the order of the schema."""
    rows = []
    for name, field in ExplanationParameters.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        applies_to = tuple(map(str, extra.get("applies_to", ALGORITHMS)))  # type: ignore[arg-type]
        accepts = expectation(ExplanationParameters, name).removesuffix(" or null")  # an absent key is the null
        rows.append(ParameterRow(name, accepts, _defaults(name, applies_to), applies_to, str(field.description)))
    return tuple(rows)


def parameters_table() -> str:
    """Render the parameters as a Markdown table, a row for each key."""
    rows = [
        f"| `{row.key}` | {row.accepts} | {row.default} "
        f"| {'all' if row.applies_to == ALGORITHMS else ', '.join(row.applies_to)} | {row.meaning} |"
        for row in parameter_rows()
    ]
    return "\n".join(["| key | accepts | default | has an effect on | meaning |", "|---|---|---|---|---|", *rows])


def hosted_table() -> str:
    """Render what `"compatibility": "azureml"` changes, a row for each key and a column for each algorithm."""
    rows = [
        f"| `{row.key}` | "
        + " | ".join(_code(default(row.key, each, hosted=True)) if _changed(row, each) else "-" for each in ALGORITHMS)
        + " |"
        for row in parameter_rows()
        if any(_changed(row, each) for each in ALGORITHMS)
    ]
    return "\n".join([f"| key | {' | '.join(ALGORITHMS)} |", "|---" * (len(ALGORITHMS) + 1) + "|", *rows])


def visualizations_table() -> str:
    """Render the visualizations as a Markdown table."""
    rows = [f"| `{name}` | {found.meaning} |" for name, found in constants(visualizations, "VISUALIZATION")]
    return "\n".join(["| visualization | shows |", "|---|---|", *rows])


def colour_maps_table() -> str:
    """Render the colour maps as a Markdown table."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in COLOUR_MAPS.items()]
    return "\n".join(["| colour map | from low to high |", "|---|---|", *rows])


def _defaults(name: str, algorithms: tuple[str, ...]) -> str:
    by_text: dict[str, list[str]] = {}
    for algorithm in algorithms:
        by_text.setdefault(_code(default(name, algorithm)), []).append(algorithm)
    if len(by_text) == 1 or name == "xai_algorithm":
        return next(iter(by_text))
    return "; ".join(f"{text} for {', '.join(names)}" for text, names in by_text.items())


def _changed(row: ParameterRow, algorithm: str) -> bool:
    if row.key == "compatibility" or algorithm not in row.applies_to:
        return False
    return bool(default(row.key, algorithm) != default(row.key, algorithm, hosted=True))


def _code(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{','.join(map(str, value)) if isinstance(value, tuple) else value}`"
