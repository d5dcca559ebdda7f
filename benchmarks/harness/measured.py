"""Runs a load against a server, and sums up what its clients saw and what the server used meanwhile."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Server(Protocol):
    """A server under measurement, such as BenchServer and PeerServer."""

    port: int
    ready_s: float

    def cpu_s(self) -> float:
        """Return the processor seconds that all its processes have used so far."""


@dataclass(frozen=True, slots=True)
class Load:
    """The result of a load: rates in requests per second, latencies of answers (200) in ms, NaN where there was none.

    `in_time` counts the answers that came within the patience of a client. `cores` is how many cores the server kept
    busy. `stages` holds the mean milliseconds of an answer in each stage that the server reports, and the rest of its
    latency under "outside".
    """

    name: str
    codes: dict[str, int]
    rate: float
    in_time: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    slowest_refusal_ms: float | None
    cpu_s_per_1000: float
    cores: float
    stages: dict[str, float]


def run_load(server: Server, kind: str, size: float, seconds: float, *flags: str, patience_s: float = 60.0) -> Load:
    """Run a `closed` or `open` load of benchmarks.harness.load, with more of its `flags`, against a server."""
    words = [str(server.port), kind, str(size), str(seconds), "--patience", str(patience_s), *flags]
    cpu_before, started = server.cpu_s(), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "benchmarks.harness.load", *words], stdout=subprocess.PIPE, check=True)
    cpu_s, elapsed_s = server.cpu_s() - cpu_before, time.perf_counter() - started
    result = json.loads(done.stdout)
    answered, refused = (sorted(result["latencies"].get(code, [])) for code in ("200", "429"))
    # An overloaded server goes on after the load has ended: count what was finished while the load lasted
    lasted_s = seconds if kind == "open" else result["seconds"]
    return Load(
        name=f"{kind} {size:g}",
        codes={code: len(values) for code, values in sorted(result["latencies"].items())},
        rate=sum(moment <= lasted_s for moment in result["finished"]) / lasted_s,
        in_time=sum(latency <= patience_s for latency in answered),
        p50_ms=_percentile_ms(answered, 0.5),
        p95_ms=_percentile_ms(answered, 0.95),
        p99_ms=_percentile_ms(answered, 0.99),
        slowest_refusal_ms=1000 * refused[-1] if refused else None,
        cpu_s_per_1000=1000 * cpu_s / max(1, len(answered)),
        cores=cpu_s / elapsed_s,
        stages=_stages(result["stages"], answered),
    )


def split(stages: Mapping[str, float]) -> str:
    """Write the mean milliseconds of an answer in each stage."""
    return " ".join(f"{stage} {value:.1f}" for stage, value in stages.items())


def _stages(sums: Mapping[str, float], answered: Sequence[float]) -> dict[str, float]:
    if not sums:
        return {}
    means = {stage: value / len(answered) for stage, value in sums.items()}
    # The rest of the client's time: the way there and back, and waiting until the generator runs again
    return means | {"outside": 1000 * sum(answered) / len(answered) - means["total"]}


def _percentile_ms(values: Sequence[float], share: float) -> float:
    return 1000 * values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")
