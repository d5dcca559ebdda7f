"""A server of several deployments, for tests that share it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.servers.live_server import LiveServer

# however slow and busy the machine is
_PATIENT = ("--queue-limit-ms", "600000", "--request-timeout-ms", "300000")
_READY_WITHIN_S = 120


class DeploymentsSite:
    """A context manager: a server with the deployments of a plan in `folder`, ready once all of them are.

    Who names none gets `first`. The server takes `arguments`, too.
    """

    def __init__(
        self, folder: Path, deployments: Mapping[str, Mapping[str, Any]], first: str, *arguments: str | Path
    ) -> None:
        file = folder / "deployments.json"
        file.write_text(json.dumps({"deployments": deployments, "traffic": {first: 100}}))
        self.server = LiveServer("--deployments", file, *_PATIENT, *arguments, ready_within_s=_READY_WITHIN_S)
        self.names = tuple(deployments)

    def __enter__(self) -> Self:
        self.server.__enter__()
        self.server.wait_for(self._all_ready, _READY_WITHIN_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    def _all_ready(self) -> bool:
        return all(self.server.metric("sightglass_deployment_ready", deployment=name) == 1 for name in self.names)
