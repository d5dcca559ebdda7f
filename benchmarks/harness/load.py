"""A cheap load generator: it builds requests beforehand and only counts replies.

Run as a process of its own: python -m benchmarks.harness.load PORT closed CONCURRENCY SECONDS | open RATE SECONDS.
With --explain, a JSON list of `xai_parameters`, requests ask for explanations and take the parameters in turn.
Prints one JSON object: status codes, when it started (perf_counter, which all processes share), seconds, the latency of
every request by code, and per stage the sum of the milliseconds in the Server-Timing headers of the answers, where the
server sends them.
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

from benchmarks.harness.payload import encoded_images, score_request

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)")
_TIMING = re.compile(rb"server-timing: (.*)\r\n")
_STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")


class KeepAliveConnection:
    """One keep-alive connection that carries one request at a time."""

    def __init__(self, port: int) -> None:
        self.timing = b""  # Server-Timing header of the last reply
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> int:
        """Send a request, read the whole reply and return its status; 0 where the connection broke."""
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


class LoadRecord:
    """What happened to the requests of one load: latencies in seconds by status code, and stage times."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.latencies: dict[int, list[float]] = defaultdict(list)
        self.finished: list[float] = []  # seconds from the start to each answer (200)
        self.timings: list[bytes] = []  # parsed after the load has ended

    async def send(self, connection: KeepAliveConnection, request: bytes, due: float) -> None:
        """Send a request and record its latency since the moment it was `due`."""
        status = await connection.send(request)
        now = time.perf_counter()
        self.latencies[status].append(now - due)
        if status == 200:
            self.finished.append(now - self.started)
            self.timings.append(connection.timing)

    def stages(self) -> dict[str, float]:
        """Return the milliseconds that all answers together spent in each stage, as the server reports them."""
        sums: dict[str, float] = defaultdict(float)
        for stage, value in _STAGE.findall(b"\n".join(self.timings).decode()):
            sums[stage] += float(value)
        return sums


async def closed_loop(port: int, requests: Sequence[bytes], concurrency: int, seconds: float) -> LoadRecord:
    """Keep `concurrency` requests in flight: each client sends its next request when the last one is answered."""
    record = LoadRecord()
    end = record.started + seconds

    async def client(number: int) -> None:
        connection = KeepAliveConnection(port)
        index = number
        while (now := time.perf_counter()) < end:
            await record.send(connection, requests[index % len(requests)], now)
            index += concurrency
        connection.close()

    await asyncio.gather(*(client(number) for number in range(concurrency)))
    return record


async def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float, patience: float) -> LoadRecord:
    """Send at random times, `rate` requests a second on average, whether or not earlier ones are answered.

    At the end, wait at most `patience` seconds for the replies that are still missing.
    """
    record = LoadRecord()
    chance = random.Random(0)
    idle: list[KeepAliveConnection] = []
    pending: set[asyncio.Task[None]] = set()

    async def send(request: bytes, due: float) -> None:
        connection = idle.pop() if idle else KeepAliveConnection(port)
        await record.send(connection, request, due)
        idle.append(connection)

    due, index = record.started, 0
    while due < record.started + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(send(requests[index % len(requests)], due))
        pending.add(task)
        task.add_done_callback(pending.discard)
        due += chance.expovariate(rate)
        index += 1
    if pending:
        await asyncio.wait(pending, timeout=patience)
    return record


def in_processes(options: argparse.Namespace) -> dict[str, Any]:
    """Split a load over `options.processes` processes, and return their results together."""
    words = [str(options.port), options.kind, str(options.size / options.processes), str(options.seconds)]
    words += ["--patience", str(options.patience), "--image-bytes", str(options.image_bytes)]
    command = [sys.executable, "-m", "benchmarks.harness.load", *words, "--explain", json.dumps(options.explain)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(options.processes)]
    results = [json.loads(process.communicate()[0]) for process in running]
    latencies: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, float] = defaultdict(float)
    for result in results:
        for status, values in result["latencies"].items():
            latencies[status] += values
        for stage, value in result["stages"].items():
            stages[stage] += value
    return {
        "started": min(result["started"] for result in results),
        "seconds": max(result["seconds"] for result in results),
        "latencies": latencies,
        "finished": [moment for result in results for moment in result["finished"]],
        "stages": stages,
    }


def main() -> None:
    """Run one load and print its result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harness.load")
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=("closed", "open"))
    parser.add_argument("size", type=float, help="clients of a closed loop, requests a second of an open one")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--explain", type=json.loads, default=[None])
    parser.add_argument("--image-bytes", type=int, default=0, help="least size of an encoded image")
    parser.add_argument("--processes", type=int, default=1, help="processes that share the load, if one is too slow")
    options = parser.parse_args()
    if options.processes > 1:
        _print_result(in_processes(options))
        return
    images = encoded_images(options.image_bytes)
    contents = zip(cycle(images), options.explain * len(images), strict=False)
    requests = [score_request(image, parameters) for image, parameters in contents]
    if options.kind == "closed":
        work = closed_loop(options.port, requests, int(options.size), options.seconds)
    else:
        work = open_loop(options.port, requests, options.size, options.seconds, options.patience)
    record = uvloop.run(work)
    _print_result(
        {
            "started": record.started,
            "seconds": time.perf_counter() - record.started,
            "latencies": {str(status): values for status, values in record.latencies.items()},
            "finished": record.finished,
            "stages": record.stages(),
        }
    )


def _print_result(result: dict[str, Any]) -> None:
    # Through a buffer of its own: with PYTHONUNBUFFERED a pipe takes 64 KiB and the rest is lost
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        output.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
