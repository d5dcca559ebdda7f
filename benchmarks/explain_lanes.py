"""make bench-explain, third part: scoring and explaining on one device at the same time.

- Scoring at half of its capacity is measured alone and while clients request explanations without a break. Wanted: its
  99th percentile grows by at most one slice of explanations and 20 %.
- Scoring saturated by 32 clients is measured during the same explanations. Wanted: explanations still progress.

Load generators and the server share the machine. Percentiles are the median of the rounds, with their range.
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

from benchmarks.harness.bench_server import BenchServer
from benchmarks.harness.machine import describe_machine
from benchmarks.harness.measured import Load, run_load
from benchmarks.harness.report import write_report
from benchmarks.serving import free_port, seeded_folder, spread

EXPLANATIONS = [{"xai_algorithm": name} for name in ("xrai", "gradcam", "integrated_gradients", "guided_gradcam")]
_CLIENTS = 4
_SATURATING = 32


@dataclass(frozen=True, slots=True)
class LaneRound:
    """One round. Rates in requests a second, times in milliseconds.

    half_load and half_load_explaining: scoring at half of `capacity`, without and with explanations. saturated:
    scoring at capacity with explanations. explanation_rate, explanation_rate_saturated, explanation_rate_alone:
    explanations during half load, during saturation, and without scoring. slice_ms: mean time of a slice.
    """

    capacity: float
    half_load: Load
    half_load_explaining: Load
    slice_ms: float
    explanation_rate: float
    saturated: Load
    explanation_rate_saturated: float
    explanation_rate_alone: float

    @property
    def allowed_p99_ms(self) -> float:
        """The 99th percentile that scoring may have during explanations."""
        return 1.2 * self.half_load.p99_ms + self.slice_ms


@contextmanager
def explaining(server: BenchServer, seconds: float) -> Iterator[list[Load]]:
    """Request explanations meanwhile; the list holds the result of that load at the end."""
    loads: list[Load] = []
    with ThreadPoolExecutor(1) as pool:
        flags = ("--explain", json.dumps(EXPLANATIONS))
        load = pool.submit(run_load, server, "closed", _CLIENTS, seconds, *flags)
        yield loads
        loads.append(load.result())


def slices(server: BenchServer) -> tuple[float, float]:
    """Return how many slices of explanations the server has run, and the seconds they took."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as reply:
        lines = dict(line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if not line.startswith("#"))
    name = "sightglass_explanation_slice_seconds"
    return float(lines.get(f"{name}_count", 0)), float(lines.get(f"{name}_sum", 0))


def measure_round(server: BenchServer, seconds: float) -> LaneRound:
    """Measure one round."""
    capacity = run_load(server, "closed", _SATURATING, seconds).rate
    half_load = run_load(server, "open", capacity / 2, seconds)
    before = slices(server)
    with explaining(server, seconds) as during_half_load:
        half_load_explaining = run_load(server, "open", capacity / 2, seconds)
    count, total = (now - then for now, then in zip(slices(server), before, strict=True))
    with explaining(server, seconds) as during_saturation:
        saturated = run_load(server, "closed", _SATURATING, seconds)
    with explaining(server, seconds) as without_scoring:
        time.sleep(seconds)
    return LaneRound(
        capacity=capacity,
        half_load=half_load,
        half_load_explaining=half_load_explaining,
        slice_ms=1000 * total / count if count else float("nan"),
        explanation_rate=during_half_load[0].rate,
        saturated=saturated,
        explanation_rate_saturated=during_saturation[0].rate,
        explanation_rate_alone=without_scoring[0].rate,
    )


def bench_model(name: str, seconds: float, rounds: int) -> dict[str, Any]:
    """Measure one architecture and print its rows."""
    print(f"\n{name}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = seeded_folder(name, Path(scratch) / name)
        with BenchServer(folder, free_port(), "--request-timeout-ms", "120000") as server:
            run_load(server, "closed", 8, 3, "--explain", json.dumps(EXPLANATIONS))
            measured = [measure_round(server, seconds) for _ in range(rounds)]
    _print(measured)
    return {"model": name, "rounds": [asdict(one) for one in measured]}


def _print(rounds: Sequence[LaneRound]) -> None:
    p99 = statistics.median(one.half_load_explaining.p99_ms for one in rounds)
    allowed = statistics.median(one.allowed_p99_ms for one in rounds)
    print(
        f"  half load: p99 {spread([one.half_load.p99_ms for one in rounds], 0)} ms alone, "
        f"{spread([one.half_load_explaining.p99_ms for one in rounds], 0)} ms beside explanations in slices of "
        f"{spread([one.slice_ms for one in rounds], 0)} ms; allowed {allowed:.0f} ms: "
        f"{'met' if p99 <= allowed else 'MISSED'}"
    )
    print(
        f"    p50 {spread([one.half_load.p50_ms for one in rounds], 0)} ms alone, "
        f"{spread([one.half_load_explaining.p50_ms for one in rounds], 0)} ms beside; "
        f"codes {rounds[-1].half_load_explaining.codes}; "
        f"explanations {spread([one.explanation_rate for one in rounds], 2)}/s, "
        f"{spread([one.explanation_rate_alone for one in rounds], 2)}/s without scoring"
    )
    shares = [one.explanation_rate_saturated / one.explanation_rate_alone for one in rounds]
    print(
        f"  saturated: {spread([one.saturated.rate for one in rounds])} scores/s beside explanations, "
        f"{spread([one.capacity for one in rounds])}/s alone; explanations "
        f"{spread([one.explanation_rate_saturated for one in rounds], 2)}/s, "
        f"{spread(shares, 3)} of those without scoring"
    )


def main() -> None:
    """Measure the models named on the command line."""
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
