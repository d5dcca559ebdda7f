"""The server under measurement, with the processor time and memory of all its processes."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import psutil

from benchmarks.harness.payload import encoded_images, score_body

_COMMAND = (sys.executable, "-m", "server")
_READY_WITHIN_S = 120


class BenchServer:
    """`python -m server` on a port of its own, started as a user would start it; a context manager.

    `command` is what starts it. The runtime is eager unless the flags name one, since a search for the fastest runtime
    during the measurement would change the figures.
    """

    def __init__(self, folder: Path, port: int, *flags: str, command: Sequence[str] = _COMMAND) -> None:
        self.port = port
        self.ready_s = 0.0
        self._can_explain = command is _COMMAND  # other commands serve stand-ins, which may have nothing to explain
        self._command: Sequence[str] = [
            *(*command, "--model", str(folder), "--port", str(port)),
            *("--log-level", "error", "--runtime", "eager", *flags),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        started = time.perf_counter()
        self._process = subprocess.Popen(self._command)
        while not self._is_ready():
            if self._process.poll() is not None or time.perf_counter() - started > _READY_WITHIN_S:
                self._process.kill()
                raise RuntimeError(f"the server did not become ready: {' '.join(self._command)}")
            time.sleep(0.02)
        self.ready_s = time.perf_counter() - started
        if self._can_explain:
            self._explain()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def cpu_s(self) -> float:
        """Return the processor seconds that all processes have used so far."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(each.user + each.system for each in times)

    def memory_bytes(self) -> int:
        """Return the unshared memory (USS) of all processes together."""
        return sum(process.memory_full_info().uss for process in self.processes())

    def processes(self) -> list[psutil.Process]:
        """Return the process that was started, and all below it."""
        assert self._process is not None
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def _explain(self) -> None:
        """Request an explanation: its answer, even an error, means that the warm-up has ended."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_READY_WITHIN_S)
        body = score_body(encoded_images()[0], {"xai_algorithm": "gradcam", "visualizations": False})
        connection.request("POST", "/score", body, {"content-type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False
