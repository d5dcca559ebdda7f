"""A load generator that costs little itself: requests are built beforehand, replies are only counted.

Run as a process of its own: python -m benchmarks.load PORT closed CONCURRENCY SECONDS | open RATE SECONDS.
With --explain, a JSON list of `xai_parameters`, requests ask for explanations, one way after the other.
Prints one JSON object: status codes, seconds, the latency of every request by code, and by stage the sum of the
milliseconds that the Server-Timing headers of answers tell, where a server sends them.
"""

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import uvloop

from benchmarks.payload import pictures, score_request

_LENGTH = re.compile(rb"content-length: (\d+)")
_TIMING = re.compile(rb"server-timing: (.*)\r\n")
_STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")


class KeepAliveConnection:
    """One keep-alive connection; one request at a time."""

    def __init__(self, port: int) -> None:
        self.timing = b""  # the header of the last reply
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """Send a request, read its reply whole, return the status; 0 where the connection broke."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            timing, length = _TIMING.search(head), _LENGTH.search(head)
            self.timing = timing[1] if timing else b""
            if length:
                await reader.readexactly(int(length[1]))
            elif b"transfer-encoding: chunked" in head:
                while size := int((await reader.readline()).partition(b";")[0], 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            if b"connection: close" in head:
                self.close()
            return int(head[9:12])
        except (OSError, EOFError):
            self.close()
            return 0

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class LoadTally:
    """The latencies in seconds of everything that was answered, by status code."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.latencies: dict[int, list[float]] = defaultdict(list)
        self.finished: list[float] = []
        self.timings: list[bytes] = []  # read when the load has ended

    async def timed(self, connection: KeepAliveConnection, request: bytes, since: float) -> None:
        """Send a request and note how long it took `since` the moment it was due."""
        status = await connection.send(request)
        now = time.perf_counter()
        self.latencies[status].append(now - since)
        if status == 200:
            self.finished.append(now - self.started)
            self.timings.append(connection.timing)

    def stages(self) -> dict[str, float]:
        """Return the milliseconds that all answers together spent in each stage, as the server tells them."""
        found: dict[str, float] = defaultdict(float)
        for stage, value in _STAGE.findall(b"\n".join(self.timings).decode()):
            found[stage] += float(value)
        return found


async def closed_loop(port: int, requests: Sequence[bytes], concurrency: int, seconds: float) -> LoadTally:
    """Keep `concurrency` requests in flight: each client sends its next one when the last is answered."""
    tally = LoadTally()
    end = tally.started + seconds

    async def client(number: int) -> None:
        connection = KeepAliveConnection(port)
        turn = number
        while (since := time.perf_counter()) < end:
            await tally.timed(connection, requests[turn % len(requests)], since)
            turn += concurrency
        connection.close()

    await asyncio.gather(*(client(number) for number in range(concurrency)))
    return tally


async def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float, patience: float) -> LoadTally:
    """Send at random times, `rate` a second on average, whether or not the earlier requests are answered.

    In the end it waits for replies for `patience` seconds at most.
    """
    tally = LoadTally()
    chance = random.Random(0)
    idle: list[KeepAliveConnection] = []
    pending: set[asyncio.Task[None]] = set()

    async def one(request: bytes, due: float) -> None:
        connection = idle.pop() if idle else KeepAliveConnection(port)
        await tally.timed(connection, request, due)
        idle.append(connection)

    due, turn = tally.started, 0
    while due < tally.started + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(requests[turn % len(requests)], due))
        pending.add(task)
        task.add_done_callback(pending.discard)
        due += chance.expovariate(rate)
        turn += 1
    if pending:
        await asyncio.wait(pending, timeout=patience)
    return tally


def in_processes(options: argparse.Namespace) -> dict[str, Any]:
    """Run a load in `options.processes`, each with its part, and return what they saw together."""
    words = [str(options.port), options.kind, str(options.size / options.processes), str(options.seconds)]
    words += ["--patience", str(options.patience), "--picture-bytes", str(options.picture_bytes)]
    command = [sys.executable, "-m", "benchmarks.load", *words, "--explain", json.dumps(options.explain)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(options.processes)]
    seen = [json.loads(process.communicate()[0]) for process in running]
    latencies: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, float] = defaultdict(float)
    for one in seen:
        for status, values in one["latencies"].items():
            latencies[status] += values
        for stage, value in one["stages"].items():
            stages[stage] += value
    return {
        "seconds": max(one["seconds"] for one in seen),
        "latencies": latencies,
        "finished": [moment for one in seen for moment in one["finished"]],
        "stages": stages,
    }


def main() -> None:
    """Run one load and print its result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=("closed", "open"))
    parser.add_argument("size", type=float, help="clients of a closed loop, requests a second of an open one")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--explain", type=json.loads, default=[None])
    parser.add_argument("--picture-bytes", type=int, default=0, help="the least that an encoded picture has")
    parser.add_argument("--processes", type=int, default=1, help="that share the load, where one is not fast enough")
    options = parser.parse_args()
    if options.processes > 1:
        _tell(in_processes(options))
        return
    drawn = pictures(options.picture_bytes)
    asked = zip(cycle(drawn), options.explain * len(drawn), strict=False)
    requests = [score_request(picture, parameters) for picture, parameters in asked]
    if options.kind == "closed":
        work = closed_loop(options.port, requests, int(options.size), options.seconds)
    else:
        work = open_loop(options.port, requests, options.size, options.seconds, options.patience)
    tally = uvloop.run(work)
    _tell(
        {
            "seconds": time.perf_counter() - tally.started,
            "latencies": {str(status): values for status, values in tally.latencies.items()},
            "finished": tally.finished,
            "stages": tally.stages(),
        }
    )


def _tell(seen: dict[str, Any]) -> None:
    # by a buffer of its own: unbuffered, as PYTHONUNBUFFERED has it, a pipe takes 64 KiB and the rest is lost
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        output.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
