"""The server under attack, ours or another: its port, its processes by role, and its end."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.peers.peer_server import PeerServer, score_one
from benchmarks.serving import free_port, seeded_folder
from tests.support.servers.live_server import SERVER, LiveServer
from tests.support.servers.other_model import other_model

OURS = "sightglass"
_SIZES = (80, 64)  # of images as the network gets them: small ones are scored quickly
# what stands in the command lines of processes, by their role
_ROLES = {
    "engine": ("-m server.engine ", "other_model engine"),
    "decoder": ("-m server.engine.workers.decoder_process",),
    "http": ("-m server.api",),
    "script pool": ("-m server.scripts",),
    "script worker": ("scripts/runner/start.py",),
}
_SCRIPT = """
import json, os, time

def init():
    global record
    record = os.open({record!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def run(data):
    request = json.loads(data)
    os.write(record, b"%d\\n" % request["number"])
    time.sleep(request.get("seconds", 0))
    return request["number"]
"""


class AttackedServer(Protocol):
    """What a scenario needs of a server."""

    @property
    def port(self) -> int:
        """The TCP port of HTTP on 127.0.0.1."""

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process that was started; it ends last."""

    def role(self, name: str) -> list[psutil.Process]:
        """Return the processes of a role; "engine" is what computes."""

    def family(self) -> list[psutil.Process]:
        """Return all processes of the server."""


class OwnServer(LiveServer):
    """Sightglass, started as a user would; a context manager. `prefix` is a command that starts it, such as prlimit."""

    def __init__(
        self,
        *arguments: str | Path,
        prefix: Sequence[str] = (),
        command: Sequence[str] = SERVER,
        env: Mapping[str, str] | None = None,
        ready_within_s: float = 60,
        port: int | None = None,
    ) -> None:
        # what each request is told in the log would fill disks in long runs
        quiet = {"SIGHTGLASS_LOG_LEVEL": "warning"}
        self._number = port or free_port()
        super().__init__(
            *arguments,
            *("--port", str(self._number)),
            command=(*prefix, *command),
            env=quiet | dict(env or {}),
            ready_within_s=ready_within_s,
        )
        self.url = f"http://127.0.0.1:{self._number}"

    @property
    def port(self) -> int:
        """The TCP port, a free one unless it was named."""
        return self._number

    def __exit__(self, *_: object) -> None:
        family = self.family()
        if self.process.poll() is None:
            self.process.terminate()
        for left in psutil.wait_procs(family, timeout=10)[1]:
            left.kill()
        super().__exit__()

    def role(self, name: str) -> list[psutil.Process]:
        """Return the processes of a role: engine, decode worker, decoder, http, script pool or script worker."""
        if name == "decode worker":
            return [
                child for engine in self.role("engine") for child in engine.children() if _has_role(child, "engine")
            ]
        found = [process for process in self.family()[1:] if _has_role(process, name)]
        return [process for process in found if process.ppid() == self.process.pid] if name == "engine" else found

    def family(self) -> list[psutil.Process]:
        """Return all processes, the supervisor first."""
        return family_of(self.process.pid)

    def is_ready(self) -> bool:
        """Whether the readiness probe is answered 200."""
        return self.probe("/health/ready") == 200


class AttackedPeer(PeerServer):
    """Another server with the same model."""

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process that was started."""
        assert self._process is not None
        return self._process

    def role(self, name: str) -> list[psutil.Process]:
        """Return the process whose processor time grows most while images are scored: servers name theirs otherwise."""
        before = {process: _cpu_s(process) for process in self.family()[1:]}
        for _ in range(5):
            score_one(self.port)
        return sorted(before, key=lambda process: before[process] - _cpu_s(process))[:1]

    def family(self) -> list[psutil.Process]:
        """Return all processes, the supervisor first."""
        return family_of(self.process.pid)


def peer_server(name: str, folder: Path) -> AttackedPeer:
    """Return the peer `name` for a folder of model_folder()."""
    (checkpoint,) = folder.rglob("model.pt")
    return AttackedPeer(name, checkpoint, free_port())


def model_folder(scratch: Path) -> Path:
    """Write a seeded resnet18 for small images below `scratch`, once."""
    folder = scratch / "model"
    return folder if folder.exists() else seeded_folder("resnet18", folder, _SIZES)


def write_script(scratch: Path, record: Path) -> Path:
    """Write a script that appends the number of each request to `record`, sleeps for its `seconds`, and returns it."""
    file = scratch / "numbers.py"
    file.write_text(_SCRIPT.format(record=str(record)))
    return file


def faulty_command() -> Sequence[str]:
    """Return the command of a server whose model fails on command."""
    return other_model("tests.support.engines.faulty_model:FaultyModel")


def family_of(pid: int) -> list[psutil.Process]:
    """Return a process and all below it, none if it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(server: AttackedServer, number: int = signal.SIGTERM, within_s: float = 40) -> int | None:
    """Send a signal to a server and return its exit code, None if it still runs after `within_s`."""
    server.process.send_signal(number)
    try:
        return server.process.wait(within_s)
    except subprocess.TimeoutExpired:
        return None


def _has_role(process: psutil.Process, name: str) -> bool:
    try:
        command = " ".join([*process.cmdline(), ""])
    except psutil.Error:  # it has just ended
        return False
    return any(word in command for word in _ROLES[name])


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
