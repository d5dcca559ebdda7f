"""Fuzzing: mutated bodies to every route that scores, over connections that are kept."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle

import uvloop

from benchmarks.failures.numbered_load import NumberedLoad, images, probe
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial, counted
from benchmarks.fuzz.mutation import Mutator
from benchmarks.fuzz.run import save
from benchmarks.fuzz.targets import Target, targets
from benchmarks.harness.load import KeepAliveConnection
from benchmarks.harness.report import RESULTS

_CONNECTIONS = 8
_HANGS_S = 40.0  # above the request timeout
_MODEL = "mlflow-model"


class HttpFuzz:
    """Sends bodies of all targets that have a path, one after the other on each connection."""

    def __init__(self, port: int, model: str, seed: int = 0) -> None:
        self.statuses: Counter[int | str] = Counter()
        self.slowest_s = 0.0
        self._port, self._model = port, model
        routes = [target for target in targets().values() if target.path]
        self._bodies = self._endless([(target, Mutator(target.samples, target.words, seed)) for target in routes])

    async def run(self, count: int, seconds: float) -> None:
        """Send `count` bodies, or as many as fit into the time."""
        end = time.monotonic() + seconds
        left = iter(range(count))

        async def client() -> None:
            connection = KeepAliveConnection(self._port)
            while time.monotonic() < end and next(left, None) is not None:
                target, body = next(self._bodies)
                await self._send(connection, target, body)
            connection.close()

        await asyncio.gather(*(client() for _ in range(_CONNECTIONS)))

    async def _send(self, connection: KeepAliveConnection, target: Target, body: bytes) -> None:
        request, started = self._request(target, body), time.monotonic()
        status: int | str = 0
        for _ in range(2):  # the server may close a kept connection while a request is on its way
            try:
                status = await asyncio.wait_for(connection.send(request), _HANGS_S)
            except TimeoutError:
                connection.close()
                status = "hangs"
            if status != 0:
                break
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        status = status or "no reply"
        self.statuses[status] += 1
        if (isinstance(status, str) or status >= 500) and self.statuses[status] <= 5:
            (RESULTS / "fuzz").mkdir(parents=True, exist_ok=True)
            save(target, body, f"over HTTP: {status}", RESULTS / "fuzz")

    def _request(self, target: Target, body: bytes) -> bytes:
        line, _, content = body.partition(b"\n")
        value = bytes(byte for byte in line if byte >= 32 and byte != 127)  # a header's end is not what is fuzzed
        head = f"POST {target.path.format(model=self._model)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
        if target.header != "content-type":
            head += "Content-Type: application/octet-stream\r\n"
        return head.encode() + target.header.encode() + b": " + value + b"\r\n\r\n" + content

    @staticmethod
    def _endless(mutators: list[tuple[Target, Mutator]]) -> Iterator[tuple[Target, bytes]]:
        for target, mutator in cycle(mutators):
            yield target, mutator.body()


def _fuzz(trial: Trial) -> Finding:
    with trial.serve_model() as server:
        if trial.ours:
            from tests.support import http

            model = http.get(f"http://127.0.0.1:{server.port}/v1/models").json()["models"][0]
        else:
            model = ""
        fuzz, started = HttpFuzz(server.port, model), time.monotonic()
        # the probe is another process' in production; here it shows that nothing holds the server up
        probes = NumberedLoad(server.port, probe("/health/live" if trial.ours else "/"), 1, pause_s=0.5)
        with probes:
            uvloop.run(fuzz.run(trial.requests if trial.ours else trial.requests // 20, trial.seconds))
        seconds = time.monotonic() - started
        with NumberedLoad(server.port, images(server), 1) as after:
            time.sleep(0.5)
        total = fuzz.statuses.total()
        late = 504  # explanations that a busy machine has no time for
        errors = {
            status: number
            for status, number in fuzz.statuses.items()
            if isinstance(status, str) or (status >= 500 and status != late)
        }
        lost = sum(number for status, number in errors.items() if isinstance(status, str))
        met = not errors and set(after.outcomes()) == {200} and probes.slowest_s() < 5
        seen = (
            f"{total} bodies at {total / seconds:.0f}/s: {counted(fuzz.statuses)}; slowest {fuzz.slowest_s:.1f} s, "
            f"slowest probe {probes.slowest_s():.1f} s; images afterwards {counted(after.outcomes())}"
        )
        return Finding(met, seen, lost, total)


FAMILY = FailureFamily(
    "Fuzzed bodies",
    (
        Scenario(
            "fuzzed bodies to all routes that score",
            "no 5xx but 504, nothing hangs, probes within 5 s, and images are scored afterwards",
            _fuzz,
            10,
            share=0.4,
            peers=True,
        ),
    ),
)
