"""A peer under measurement, started as its documentation says, with a program of ours that serves the recipe."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.harness.payload import encoded_images, score_request
from benchmarks.peers.environment import HERE, python_of

_APPS = HERE / "apps"
_READY_WITHIN_S = 180

# The command line for a port; its first word is a program of the peer's environment
COMMANDS: dict[str, Callable[[int], Sequence[str]]] = {
    "fastapi": lambda port: ["python", "fastapi_app.py", str(port)],
    "litserve": lambda port: ["python", "litserve_app.py", str(port)],
    "mosec": lambda port: ["python", "mosec_app.py", "--port", str(port), "--timeout", "600000"],
    "azureml": lambda port: [
        *("azmlinfsrv", "--entry_script", "azureml_app.py"),
        *("--port", str(port), "--health_port", str(port)),
    ],
    # Not measured: the replies of the hosted endpoint, for benchmarks.hosted
    "azureml_hosted": lambda port: [
        *("azmlinfsrv", "--entry_script", "azureml_hosted_app.py"),
        *("--port", str(port), "--health_port", str(port)),
    ],
    "bentoml": lambda port: ["bentoml", "serve", "bentoml_app:Scorer", "--port", str(port)],
    "ray": lambda port: ["python", "ray_app.py", str(port)],
    "mlserver": lambda port: ["mlserver", "start", "mlserver"],
}


class PeerServer:
    """The peer `name` serving the checkpoint `model` on `port`, or with `noop` nothing; a context manager."""

    def __init__(self, name: str, model: Path, port: int, *, noop: bool = False) -> None:
        self.port = port
        self.ready_s = 0.0
        bin_folder = python_of(name.partition("_")[0]).parent
        program, *rest = COMMANDS[name](port)
        self._command = [str(bin_folder / program), *rest]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process runs
        # The other ports of peers that have several
        more = {
            "MLSERVER_HTTP_PORT": str(port),
            "MLSERVER_GRPC_PORT": str(port + 1),
            "MLSERVER_METRICS_PORT": str(port + 2),
        }
        self._environment = (
            os.environ
            | more
            | {
                "MODEL_FILE": str(model),
                "NOOP": "1" if noop else "",
                "PYTHONPATH": str(_APPS),
                "PATH": f"{bin_folder}:{os.environ['PATH']}",
                "AML_APP_ROOT": str(_APPS),
                "BENTOML_DO_NOT_TRACK": "True",
                "RAY_USAGE_STATS_ENABLED": "0",
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            self._command,
            cwd=_APPS,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while not self._answers():
                if self._process.poll() is not None or time.perf_counter() - started > _READY_WITHIN_S:
                    self._log.seek(0)
                    raise RuntimeError(f"{' '.join(self._command)} does not serve:\n{self._log.read()[-3000:]}")
                time.sleep(0.1)
        except BaseException:
            self.__exit__()
            raise
        self.ready_s = time.perf_counter() - started
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        family = self.processes()
        self._process.send_signal(signal.SIGTERM)
        alive = psutil.wait_procs(family, timeout=10)[1]
        for left in alive:  # some peers leave processes behind
            left.kill()
        with suppress(ProcessLookupError):  # also those whose parents had ended before
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def cpu_s(self) -> float:
        """Return the processor seconds that all processes have used so far."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(each.user + each.system for each in times)

    def processes(self) -> list[psutil.Process]:
        """Return the process that was started, and all below it."""
        assert self._process is not None
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _answers(self) -> bool:
        try:
            score_one(self.port)
        except (urllib.error.URLError, OSError):
            return False
        return True


def score_one(port: int) -> Any:
    """Score one image and return its row; URLError or OSError where the status is not 200."""
    body = score_request(encoded_images()[0]).partition(b"\r\n\r\n")[2]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/score", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)[0]
