"""Endurance: memory, descriptors and threads of every process before and after many mixed requests."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil
import uvloop

from benchmarks.failures.attacked_server import OwnServer
from benchmarks.failures.mixed_requests import MixedRequest, mixed_requests
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted
from benchmarks.harness.load import KeepAliveConnection

_CONNECTIONS = 8
_WARM_UP = 0.15  # the share of requests after which caches are full
_GROWTH = 0.02
_SETTLES_S = 3.0
_HANGS_S = 60.0
_NAMES = {"server.engine.workers": "decoder", "server.engine": "engine", "server.api": "HTTP process"}


@dataclass(frozen=True, slots=True)
class ProcessFootprint:
    """What a process holds: unshared memory (USS), file descriptors, threads."""

    name: str
    pid: int
    memory_bytes: int
    descriptors: int
    threads: int


def footprints(processes: Sequence[psutil.Process]) -> list[ProcessFootprint]:
    """Return the footprint of each process, the supervisor first."""
    found = []
    for process in processes:
        command = " ".join(process.cmdline())
        name = next((name for module, name in _NAMES.items() if f"-m {module}" in command), "supervisor")
        memory = process.memory_full_info().uss
        found.append(ProcessFootprint(name, process.pid, memory, process.num_fds(), process.num_threads()))
    return found


class MixedLoad:
    """Sends mixed requests over connections that are kept, and compares each status with those that are right."""

    def __init__(self, port: int, requests: Iterator[MixedRequest]) -> None:
        self.statuses: Counter[int | str] = Counter()
        self.wrong: Counter[str] = Counter()
        self._port, self._requests = port, requests

    async def run(self, count: int, seconds: float) -> None:
        """Send `count` requests, or as many as fit into the time."""
        end, left = time.monotonic() + seconds, iter(range(count))

        async def client() -> None:
            connection = KeepAliveConnection(self._port)
            while time.monotonic() < end and next(left, None) is not None:
                await self._send(connection, next(self._requests))
            connection.close()

        await asyncio.gather(*(client() for _ in range(_CONNECTIONS)))

    async def _send(self, connection: KeepAliveConnection, request: MixedRequest) -> None:
        try:
            status = await asyncio.wait_for(connection.send(request.content), _HANGS_S)
        except TimeoutError:
            connection.close()
            status = 0
        self.statuses[status or "no reply"] += 1
        if status not in request.right | {429}:
            line = request.content.partition(b" HTTP")[0].decode()
            self.wrong[f"{line} got {status or 'no reply'}"] += 1


def _endurance(trial: Trial) -> Finding:
    with trial.serve_model() as server:
        assert isinstance(server, OwnServer)
        from tests.support import http

        model = http.get(server.url + "/v1/models").json()["models"][0]
        load, started = MixedLoad(server.port, mixed_requests(model)), time.monotonic()
        uvloop.run(load.run(int(_WARM_UP * trial.requests), _WARM_UP * trial.seconds))
        time.sleep(_SETTLES_S)
        before, warm = footprints(server.family()), load.statuses.total()
        uvloop.run(load.run(trial.requests, trial.seconds - (time.monotonic() - started) - _SETTLES_S))
        seconds = time.monotonic() - started
        time.sleep(_SETTLES_S)
        after = footprints(server.family())
    growth = sum(each.memory_bytes for each in after) / sum(each.memory_bytes for each in before) - 1
    same = [each.pid for each in before] == [each.pid for each in after]
    steady = same and all(
        new.descriptors <= old.descriptors + 2 and new.threads <= old.threads + 2
        for old, new in zip(before, after, strict=True)
    )
    lines = [_change(old, new) for old, new in zip(before, after, strict=False)]
    total = load.statuses.total()
    wrong = "; ".join(f"{what}: {number}" for what, number in load.wrong.most_common(5))
    lost = load.statuses["no reply"]
    seen = (
        f"{total - warm} requests after {warm} of warm-up, {total / seconds:.0f}/s: {counted(load.statuses)}; "
        f"memory {100 * growth:+.1f}%: {'; '.join(lines)}{'; ' + wrong if wrong else ''}"
    )
    return Finding(not load.wrong and steady and growth < _GROWTH, seen, lost, total)


def _change(old: ProcessFootprint, new: ProcessFootprint) -> str:
    return (
        f"{old.name} {old.memory_bytes / 2**20:.1f} -> {new.memory_bytes / 2**20:.1f} MB, "
        f"{old.descriptors} -> {new.descriptors} descriptors, {old.threads} -> {new.threads} threads"
    )


FAMILY = FailureFamily(
    "Endurance",
    (
        Scenario(
            "mixed requests",
            "each has the status that is right for it; memory grows by less than 2%, descriptors and threads by none",
            _endurance,
            10,
            share=0.6,
        ),
    ),
)
