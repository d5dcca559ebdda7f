"""Changes of deployments, and what the file that keeps them holds."""

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.failures.attacked_server import OwnServer
from tests.support import http


def put_traffic(server: OwnServer, traffic: Mapping[str, int]) -> tuple[int, str]:
    """Change the traffic of a server of Trial.serve_deployments(); return the status and text of the reply."""
    reply = http.put(f"{server.url}/traffic", headers={"authorization": "Bearer admin"}, json={"traffic": traffic})
    return reply.status_code, reply.text


def saved_traffic(file: Path) -> object:
    """Return the traffic that a deployments file holds, or a word where it holds none."""
    try:
        return json.loads(file.read_text())["traffic"]
    except (OSError, ValueError, LookupError):
        return "nothing that can be read"
