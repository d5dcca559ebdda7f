"""Put the result of benchmarks.failures into the docs: python -m scripts.reliability RESULT.json.

Copies its JSON to docs/benchmarks/. `make docs` writes the tables of docs/reliability.md from there.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.comparison import HOME, OURS

_RESULT = HOME / "failures.json"


def failures_table() -> str:
    """Return a table per family: what was expected, what was seen on ours, and how many requests were lost."""
    rows = [row for row in _rows() if row["server"] == OURS]
    parts = [] if rows else ["No run is recorded yet."]
    for family in dict.fromkeys(row["family"] for row in rows):
        parts += [f"**{family}**", "", "| failure | expected | seen | lost | |", "|---|---|---|---|---|"]
        parts += [
            f"| {row['scenario']} | {_cell(row['expected'])} | {_cell(row['seen'])} | {_lost(row)} | {row['verdict']} |"
            for row in rows
            if row["family"] == family
        ]
        parts.append("")
    return "\n".join(parts).strip()


def failures_beside_peers_table() -> str:
    """Return a table of the failures that other servers got too: the verdict, and what was seen and lost, of each."""
    rows = _rows()
    beside = dict.fromkeys(row["scenario"] for row in rows if row["server"] != OURS)
    if not beside:
        return "No other server was run."
    lines = ["| failure | server | seen | lost | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['scenario']} | {row['server']} | {_cell(row['seen'])} | {_lost(row)} | {row['verdict']} |"
        for scenario in beside
        for row in rows
        if row["scenario"] == scenario
    ]
    return "\n".join(lines)


def better_elsewhere_table() -> str:
    """Return the failures in which another server did better: it met what ours missed, or lost fewer requests."""
    rows = _rows()
    ours = {row["scenario"]: row for row in rows if row["server"] == OURS}
    better = [row for row in rows if row["server"] != OURS and _is_better(row, ours.get(row["scenario"]))]
    if len({row["server"] for row in rows}) < 2:
        return "No other server was run."
    if not better:
        return "In none of the failures that others got too did another server do better."
    return "\n".join(
        f"- {row['scenario']}: {row['server']} is {row['verdict']} and lost {_lost(row)}; "
        f"Sightglass is {ours[row['scenario']]['verdict']} and lost {_lost(ours[row['scenario']])}."
        for row in better
    )


def _is_better(row: Mapping[str, Any], ours: Mapping[str, Any] | None) -> bool:
    if ours is None or "skipped" in (row["verdict"], ours["verdict"]):
        return False
    one, other = ((each["verdict"] != "met", _share_lost(each)) for each in (row, ours))
    return one < other


def _share_lost(row: Mapping[str, Any]) -> float:
    return float(row["lost"] / row["requests"]) if row["requests"] else 0.0


def _lost(row: Mapping[str, Any]) -> str:
    return f"{row['lost']} of {row['requests']}" if row["requests"] else "-"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _rows() -> Sequence[Mapping[str, Any]]:
    return list(json.loads(_RESULT.read_text())["rows"]) if _RESULT.exists() else []


def main() -> None:
    """Copy the result."""
    parser = argparse.ArgumentParser(prog="python -m scripts.reliability", description=__doc__)
    parser.add_argument("result", type=Path)
    options = parser.parse_args()
    HOME.mkdir(exist_ok=True)
    shutil.copyfile(options.result, _RESULT)
    print(_RESULT)


if __name__ == "__main__":
    main()
