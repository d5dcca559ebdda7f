"""Scenario: a failure, what is expected of a server in it, and the code that causes it and looks."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.failures.attacked_server import (
    OURS,
    AttackedServer,
    OwnServer,
    faulty_command,
    model_folder,
    peer_server,
    write_script,
)


class SkipScenarioError(Exception):
    """The scenario cannot be run here; the text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a scenario saw, and whether that is what was expected.

    `lost` counts the requests that got no reply or a wrong one, or were done twice, among all `requests`.
    """

    met: bool
    seen: str
    lost: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a scenario against one server: how much to send, and where to write.

    `repeats` is how often to do what is done in a row, `requests` how many to send where the number matters, and
    `seconds` after how long to send no more of them.
    """

    server: str
    scratch: Path
    repeats: int = 10
    requests: int = 100_000
    seconds: float = 60.0

    @property
    def ours(self) -> bool:
        """Whether the server is Sightglass."""
        return self.server == OURS

    def serve_model(self, *flags: str | Path, **options: Any) -> AbstractContextManager[AttackedServer]:
        """Start the server with a small classifier; `flags` and `options`, those of OwnServer, are for ours alone."""
        folder = model_folder(self.scratch)
        if not self.ours:
            return peer_server(self.server, folder)
        return OwnServer("--model", folder, *flags, **options)

    def serve_faulty_model(self, *flags: str | Path) -> OwnServer:
        """Start ours with a classifier that fails on command (tests.support.engines.faulty_model)."""
        return OwnServer("--model", model_folder(self.scratch), *flags, command=faulty_command())

    def serve_script(self, *flags: str | Path, **options: Any) -> OwnServer:
        """Start ours with a script that writes the number of each request to `record`, and returns it."""
        return OwnServer("--entry-script", write_script(self.scratch, self.record), *flags, **options)

    def serve_deployments(self, file: Path) -> OwnServer:
        """Start ours with two deployments of that script, described in `file`: "blue" gets all requests.

        The admin key is `admin`.
        """
        script = {"entry_script": str(write_script(self.scratch, self.record))}
        content = {"deployments": {"blue": script, "green": script}, "traffic": {"blue": 100}}
        file.write_text(json.dumps(content))
        keys = self.scratch / "admin_keys"
        keys.write_text("admin\n")
        return OwnServer("--deployments", file, "--admin-keys-file", keys)

    @property
    def record(self) -> Path:
        """The file in which the script writes the number of each request that it runs, a line each."""
        return self.scratch / "record"

    def recorded(self) -> list[int]:
        """Return the numbers that the script has run so far."""
        return [int(line) for line in self.record.read_text().split()] if self.record.exists() else []


@dataclass(frozen=True, slots=True)
class Scenario:
    """A failure. `run` causes it; SkipScenarioError from there says that it cannot be caused here.

    `seconds` is about how long that takes. A scenario with a `share` sends requests for as long as there is time: all
    of them divide by their shares what the others leave. `peers` tells whether it makes sense for other servers too.
    """

    name: str
    expected: str
    run: Callable[[Trial], Finding]
    seconds: float = 10.0
    share: float = 0.0
    peers: bool = False


@dataclass(frozen=True, slots=True)
class FailureFamily:
    """Scenarios of one kind."""

    title: str
    scenarios: Sequence[Scenario] = field(default_factory=tuple)


def needs_root(what: str) -> None:
    """Raise SkipScenarioError unless this process may do `what`."""
    if os.geteuid() != 0:
        raise SkipScenarioError(f"needs root to {what}")


def scratch_folder() -> AbstractContextManager[str]:
    """Return a temporary folder for a trial."""
    return tempfile.TemporaryDirectory(prefix="failures-")


def counted(outcomes: Mapping[Any, int]) -> str:
    """Write outcomes with their numbers: '200: 12, 503: 1'."""
    return ", ".join(f"{outcome}: {number}" for outcome, number in sorted(outcomes.items(), key=str)) or "nothing"
