"""make bench-explain, third part: scoring and explaining on one device, each beside the other.

- At half of its capacity, scoring is measured alone and beside clients that ask for explanations without end. Wanted:
  its 99th percentile grows by at most one slice of explanations and 20 %.
- Saturated by 32 clients, it is measured beside the same explanations. Wanted: they still progress.

Load generators and the server share the machine. Percentiles stand as the median of the rounds, with their range.
"""

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.bench_server import BenchServer
from benchmarks.machine import describe_machine
from benchmarks.measured import Load, run_load
from benchmarks.report import write_report
from benchmarks.serving import free_port, seeded_folder, spread

EXPLAINING = [{"xai_algorithm": name} for name in ("xrai", "gradcam", "integrated_gradients", "guided_gradcam")]
_CLIENTS = 4
_SATURATING = 32


@dataclass(frozen=True, slots=True)
class LaneRound:
    """One round. Rates in requests a second, times in milliseconds."""

    capacity: float
    alone: Load
    beside: Load
    slice_ms: float
    explained: float
    saturated: Load
    explained_saturated: float
    explained_alone: float

    @property
    def allowed(self) -> float:
        """The 99th percentile that scoring may have beside explanations."""
        return 1.2 * self.alone.p99_ms + self.slice_ms


@contextmanager
def explaining(server: BenchServer, seconds: float) -> Iterator[list[Load]]:
    """Ask for explanations meanwhile; the list holds what came of them at the end."""
    found: list[Load] = []
    with ThreadPoolExecutor(1) as pool:
        asked = ("--explain", json.dumps(EXPLAINING))
        load = pool.submit(run_load, server, "closed", _CLIENTS, seconds, *asked)
        yield found
        found.append(load.result())


def slices(server: BenchServer) -> tuple[float, float]:
    """Return how many slices of explanations were run so far, and in how many seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as reply:
        lines = dict(line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if not line.startswith("#"))
    name = "sightglass_explanation_slice_seconds"
    return float(lines.get(f"{name}_count", 0)), float(lines.get(f"{name}_sum", 0))


def turn(server: BenchServer, seconds: float) -> LaneRound:
    """Measure one round."""
    capacity = run_load(server, "closed", _SATURATING, seconds).rate
    alone = run_load(server, "open", capacity / 2, seconds)
    before = slices(server)
    with explaining(server, seconds) as explanations:
        beside = run_load(server, "open", capacity / 2, seconds)
    count, total = (now - then for now, then in zip(slices(server), before, strict=True))
    with explaining(server, seconds) as squeezed:
        saturated = run_load(server, "closed", _SATURATING, seconds)
    with explaining(server, seconds) as free:
        time.sleep(seconds)
    return LaneRound(
        capacity,
        alone,
        beside,
        1000 * total / count,
        explanations[0].rate,
        saturated,
        squeezed[0].rate,
        free[0].rate,
    )


def bench_model(name: str, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure one architecture and print its rows."""
    print(f"\n{name}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = seeded_folder(name, Path(scratch) / name)
        with BenchServer(folder, free_port(), "--request-timeout-ms", "120000") as server:
            run_load(server, "closed", 8, 3, "--explain", json.dumps(EXPLAINING))
            turns = [turn(server, seconds) for _ in range(rounds)]
    _print(turns)
    return {"model": name, "rounds": [asdict(one) for one in turns]}


def _print(turns: Sequence[LaneRound]) -> None:
    p99, allowed = (
        statistics.median(values) for values in zip(*((t.beside.p99_ms, t.allowed) for t in turns), strict=True)
    )
    print(
        f"  half load: p99 {spread([one.alone.p99_ms for one in turns], 0)} ms alone, "
        f"{spread([one.beside.p99_ms for one in turns], 0)} ms beside explanations in slices of "
        f"{spread([one.slice_ms for one in turns], 0)} ms; allowed {allowed:.0f} ms: "
        f"{'met' if p99 <= allowed else 'MISSED'}"
    )
    print(
        f"    p50 {spread([one.alone.p50_ms for one in turns], 0)} ms alone, "
        f"{spread([one.beside.p50_ms for one in turns], 0)} ms beside; codes {turns[-1].beside.codes}; "
        f"explanations {spread([one.explained for one in turns], 2)}/s, "
        f"{spread([one.explained_alone for one in turns], 2)}/s without scoring"
    )
    print(
        f"  saturated: {spread([one.saturated.rate for one in turns])} scores/s beside explanations, "
        f"{spread([one.capacity for one in turns])}/s alone; explanations "
        f"{spread([one.explained_saturated for one in turns], 2)}/s, "
        f"{spread([one.explained_saturated / one.explained_alone for one in turns], 3)} of those without scoring"
    )


def main() -> None:
    """Measure the models asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_lanes", description=__doc__.split("\n")[0])
    parser.add_argument("--models", default="resnet18", help="architectures, separated by commas")
    parser.add_argument("--seconds", type=float, default=20, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a single short round, to see that it works")
    options = parser.parse_args()
    seconds, rounds = (4, 1) if options.quick else (options.seconds, options.rounds)
    machine = describe_machine()
    print(json.dumps(machine))
    measured = [bench_model(name, seconds, rounds) for name in options.models.split(",")]
    write_report("explain-lanes", {"machine": machine, "seconds": seconds, "models": measured})


if __name__ == "__main__":
    main()
