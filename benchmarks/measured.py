"""Measured: what a load generator in processes of its own saw of a server, and what the server used meanwhile."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Server(Protocol):
    """A server under measurement; BenchServer and PeerServer are."""

    port: int
    ready_s: float

    def cpu_s(self) -> float:
        """Return the processor seconds that all its processes used so far."""


@dataclass(frozen=True, slots=True)
class Load:
    """Rates in requests per second, latencies of answers (200) in milliseconds, NaN where there was none.

    `in_time` is how many answers came within the patience of a client, `cores` how many cores the server kept busy,
    `stages` the mean milliseconds of an answer in each stage that the server tells of, and "outside" of all of them.
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
    """Run a `closed` or `open` load of benchmarks.load with its further `flags` against the server, and sum it up."""
    words = [str(server.port), kind, str(size), str(seconds), "--patience", str(patience_s), *flags]
    before, since = server.cpu_s(), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "benchmarks.load", *words], stdout=subprocess.PIPE, check=True)
    used, took = server.cpu_s() - before, time.perf_counter() - since
    seen = json.loads(done.stdout)
    answered, refused = (sorted(seen["latencies"].get(code, [])) for code in ("200", "429"))
    # an overloaded server goes on after the load has ended: count what was finished while it lasted
    lasted = seconds if kind == "open" else seen["seconds"]
    return Load(
        name=f"{kind} {size:g}",
        codes={code: len(values) for code, values in sorted(seen["latencies"].items())},
        rate=sum(moment <= lasted for moment in seen["finished"]) / lasted,
        in_time=sum(latency <= patience_s for latency in answered),
        p50_ms=_percentile_ms(answered, 0.5),
        p95_ms=_percentile_ms(answered, 0.95),
        p99_ms=_percentile_ms(answered, 0.99),
        slowest_refusal_ms=1000 * refused[-1] if refused else None,
        cpu_s_per_1000=1000 * used / max(1, len(answered)),
        cores=used / took,
        stages=_stages(seen["stages"], answered),
    )


def split(stages: Mapping[str, float]) -> str:
    """Write where the time of an answer went."""
    return " ".join(f"{stage} {value:.1f}" for stage, value in stages.items())


def _stages(sums: Mapping[str, float], answered: Sequence[float]) -> dict[str, float]:
    if not sums:
        return {}
    means = {stage: value / len(answered) for stage, value in sums.items()}
    # of the client's time: the way there and back, and until the generator itself had its turn
    return means | {"outside": 1000 * sum(answered) / len(answered) - means["total"]}


def _percentile_ms(values: Sequence[float], share: float) -> float:
    return 1000 * values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")
