"""Put results of benchmarks.failures into the docs: python -m scripts.reliability RESULT.json ...

Writes their rows to docs/benchmarks/; of a failure that several results have, the last one counts, such as of a long
run of one row. `make docs` writes the tables of docs/reliability.md from there.
"""

import argparse
import json
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.failures.suite import planned
from scripts.comparison import HOME, OURS

_RESULT = HOME / "failures.json"


def failures_table() -> str:
    """Return a table per family: what was expected, what was seen on ours, and how many requests were lost."""
    rows = [row for row in _rows() if row["server"] == OURS]
    parts = [_machine(), ""] if rows else ["No run is recorded yet."]
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


def _machine() -> str:
    machines = json.loads(_RESULT.read_text())["machines"]
    days = sorted({machine["time"][:10] for machine in machines})
    facts = machines[-1]
    hardware = f"{facts['processor']}, {facts['cores']} cores, {facts['gpu'] or 'no GPU'}"
    return f"{hardware}; PyTorch {facts['versions']['torch']}; {' and '.join(days)}."


def _rows() -> Sequence[Mapping[str, Any]]:
    return list(json.loads(_RESULT.read_text())["rows"]) if _RESULT.exists() else []


def merged(results: Sequence[Mapping[str, Any]], scenarios: Container[str]) -> Mapping[str, Any]:
    """Join results, the later over the earlier ones. Rows of scenarios that are no more are left out.

    ValueError where they are of different machines.
    """
    machines = [result["machine"] for result in results]
    if len({(machine["processor"], machine["cores"]) for machine in machines}) > 1:
        raise ValueError("The results are of different machines, so that one page cannot hold them.")
    rows = {(row["server"], row["scenario"]): row for result in results for row in result["rows"]}
    return {"machines": machines, "rows": [row for row in rows.values() if row["scenario"] in scenarios]}


def main() -> None:
    """Write the rows of all results."""
    parser = argparse.ArgumentParser(prog="python -m scripts.reliability", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json")
    options = parser.parse_args()
    scenarios = {run.scenario.name for run in planned([OURS], [])}
    content = merged([json.loads(file.read_bytes()) for file in options.results], scenarios)
    HOME.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps(content, indent=1) + "\n")
    print(_RESULT)


if __name__ == "__main__":
    main()
