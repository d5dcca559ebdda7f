"""The load generator of the benchmarks against a real server: what it counts, and where it says that the time went."""

import time

import pytest

from benchmarks.harness.measured import run_load, split
from tests.support.servers.live_server import LiveServer


class Measured:
    """A server as the benchmarks see it, which asks nobody for its processor time."""

    ready_s = 0.0

    def __init__(self, server: LiveServer) -> None:
        self.port = int(server.url.rpartition(":")[2])

    def cpu_s(self) -> float:
        return time.process_time()


@pytest.mark.parametrize("flags", [(), ("--processes", "2")])
def test_the_time_of_answers_is_split_as_the_server_tells_it(fridge_server: LiveServer, flags: tuple[str, ...]) -> None:
    before = fridge_server.metric("sightglass_stage_seconds_count", stage="device")
    seen = run_load(Measured(fridge_server), "closed", 4, 1.0, *flags)
    assert seen.codes == {"200": fridge_server.metric("sightglass_stage_seconds_count", stage="device") - before}
    assert list(seen.stages) == ["read", "decode", "queue", "device", "encode", "reply", "total", "outside"]
    *stages, total, outside = seen.stages.values()
    assert 0 < sum(stages) <= total + 0.1 * len(stages)
    assert outside > 0
    assert seen.p50_ms <= seen.p95_ms <= seen.p99_ms
    assert split(seen.stages).startswith(f"read {seen.stages['read']:.1f} decode ")
