"""Starts the real server as its own process and speaks HTTP to it."""

import base64
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support import http
from tests.support.repository import ROOT

SERVER = (sys.executable, "-m", "server")


class LiveServer:
    """A server process on a free port; a context manager that ends it.

    It waits for readiness, unless `ready_within_s` is 0.
    """

    def __init__(
        self,
        *arguments: str | Path,
        command: Sequence[str] = SERVER,
        env: Mapping[str, str] | None = None,
        ready_within_s: float = 60,
        cwd: Path = ROOT,
    ) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process runs
        self._ready_within_s = ready_within_s
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("SIGHTGLASS_", "AZUREML_"))}
        # warm-up tries no larger batches than tests fill, which makes starts faster, and no runtimes in the background
        # no load balancer has to see them leave
        usual = {"MAX_BATCH_IMAGES": "8", "RUNTIME": "eager", "DRAIN_DELAY_MS": "0"}
        clean = {f"SIGHTGLASS_{name}": value for name, value in usual.items()} | clean
        self.process = subprocess.Popen(
            [*command, "--port", "0", *map(str, arguments)],
            cwd=cwd,
            env=clean | dict(env or {}),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.url = self._grpc_address = ""

    def __enter__(self) -> Self:
        try:
            if self._ready_within_s:
                self.wait_ready()
        except BaseException:
            self.process.kill()
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
        self.process.wait()
        self._log.close()

    def log(self) -> str:
        """Return everything the processes wrote so far."""
        descriptor = self._log.fileno()
        # not by seeking: the processes share the place in the file, and would write over its beginning
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def wait_ready(self) -> None:
        """Wait until the readiness probe answers 200."""
        self.wait_for(lambda: self.probe("/health/ready") == 200, self._ready_within_s)

    def wait_for(self, condition: Any, within_s: float = 20) -> None:
        """Poll until `condition()` holds; fails with the log if the process ends or the time is up."""
        end = time.monotonic() + within_s
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"server exit={self.process.poll()}, log:\n{self.log()}")
            time.sleep(0.05)

    def probe(self, path: str) -> int:
        """Return the status of a GET, 0 where nothing answers yet."""
        if not self.url and (found := re.search(r" on (http://[^\s\"]+)", self.log())):
            self.url = found[1]
        try:
            return http.get(self.url + path, timeout=5).status_code if self.url else 0
        except httpx.TransportError:
            return 0

    @property
    def port(self) -> int:
        """The port of a server that was ready."""
        return int(self.url.rpartition(":")[2])

    @property
    def grpc_address(self) -> str:
        """HOST:PORT of gRPC, for a server that was started with --grpc-port."""
        self._grpc_address = self._grpc_address or self.log().partition("serving gRPC on ")[2].split()[0]
        return self._grpc_address

    def children(self, module: str) -> list[psutil.Process]:
        """Return the running child processes that were started with `-m module`."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if child.status() != psutil.STATUS_ZOMBIE and module in " ".join(child.cmdline())
        ]

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of this name that have these labels, and perhaps others; 0 without any."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(http.get(self.url + "/metrics").text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def stop(self, number: int = signal.SIGTERM, within_s: float = 30) -> int:
        """Signal the supervisor and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def score(self, images: Sequence[bytes], **options: Any) -> httpx.Response:
        """Post images as a version 2 request."""
        data = [base64.encodebytes(image).decode() for image in images]
        body = {"input_data": {"columns": ["image"], "data": data}}
        return http.post(self.url + "/score", json=body, timeout=60, **options)


def run_server(*arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the server's command to its end, for what it refuses."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SIGHTGLASS_", "AZUREML_"))}
    return subprocess.run(
        [*SERVER, *map(str, arguments)],
        cwd=ROOT,
        env={"SIGHTGLASS_MAX_BATCH_IMAGES": "8", "SIGHTGLASS_RUNTIME": "eager"} | clean | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
