"""Put the result of benchmarks.peers into the docs: python -m scripts.comparison benchmarks/results/peers-....json.

Copies its JSON to docs/benchmarks/ and draws a chart of each model.
`make docs` writes the tables from there.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent.parent / "docs" / "benchmarks"
OURS = "sightglass"
_RESULT = HOME / "peers.json"


def peers_table() -> str:
    """Return a table per model: images per second, latency, and our rate as a multiple of the server's."""
    parts = []
    for name, model in json.loads(_RESULT.read_text())["models"].items():
        labels = list(model["ceilings"][0])
        rates = [_median(each[label]["rate"] for each in model["ceilings"]) for label in labels]
        ceilings = ", ".join(f"{label} {rate:.1f}" for label, rate in zip(labels, rates, strict=True))
        clients = list(model["servers"][OURS][0]["closed"])
        head = [f"{count} client{'s' * (count != '1')}: images/s, p50, ours" for count in clients]
        rows = [f"| {server} | " + " | ".join(_cells(model, rounds, clients)) + " |" for server, rounds in _best(model)]
        parts += [
            f"**{name}**" + (f", in-process ceilings in images/s: {ceilings}" if ceilings else ""),
            "",
            f"| | {' | '.join(head)} | three times capacity: goodput |",
            "|---|" + "---|" * (len(clients) + 1),
            *rows,
            "",
        ]
    return "\n".join(parts).strip()


def _cells(model: Mapping[str, Any], rounds: Sequence[Any], clients: Sequence[str]) -> list[str]:
    cells = []
    for count in clients:
        loads = [one["closed"][count] for one in rounds]
        ratio = _median(
            mine["closed"][count]["rate"] / load["rate"]
            for mine, load in zip(model["servers"][OURS], loads, strict=True)
        )
        rate, latency = _median(load["rate"] for load in loads), _median(load["p50_ms"] for load in loads)
        cells.append(f"{rate:.1f}, {latency:.0f} ms, {ratio:.2f}x")
    over = rounds[-1].get("overload")
    return [*cells, f"{over['goodput']:.2f}" if over else "-"]


def _best(model: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return servers and their rounds, sorted by images per second under the most clients, best first."""
    most = max(model["servers"][OURS][0]["closed"], key=int)
    rates = {name: _median(one["closed"][most]["rate"] for one in rounds) for name, rounds in model["servers"].items()}
    return [(name, model["servers"][name]) for name in sorted(rates, key=rates.__getitem__, reverse=True)]


def _draw(name: str, model: Mapping[str, Any]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams["svg.hashsalt"] = name  # same numbers, same bytes
    servers = _best(model)[::-1]
    most = max(model["servers"][OURS][0]["closed"], key=int)
    rates = [[one["closed"][most]["rate"] for one in rounds] for _, rounds in servers]
    figure, axes = pyplot.subplots(figsize=(7, 0.4 * len(servers) + 1), layout="constrained")
    colours = ["#0b6e99" if server.startswith(OURS) else "#b8b8b8" for server, _ in servers]
    bars = axes.barh([server for server, _ in servers], [statistics.median(each) for each in rates], color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    for label, style in zip(model["ceilings"][0], ("--", ":"), strict=False):
        ceiling = _median(each[label]["rate"] for each in model["ceilings"])
        axes.axvline(ceiling, color="#444444", linestyle=style, linewidth=1, label=f"in-process ceiling, {label}")
    axes.set_xlabel(f"{name}: images a second over HTTP, {most} clients")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    figure.savefig(HOME / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def _median(values: Any) -> float:
    return float(statistics.median(values))


def main() -> None:
    """Copy the result and draw its charts."""
    parser = argparse.ArgumentParser(prog="python -m scripts.comparison", description=__doc__)
    parser.add_argument("result", type=Path)
    options = parser.parse_args()
    HOME.mkdir(exist_ok=True)
    shutil.copyfile(options.result, _RESULT)
    for name, model in json.loads(_RESULT.read_text())["models"].items():
        _draw(name, model)
        print(HOME / f"{name}.svg")


if __name__ == "__main__":
    main()
