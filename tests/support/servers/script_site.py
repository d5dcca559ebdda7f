"""A server that hosts several scripts, and what tests do with it."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.support import http
from tests.support.folders.user_scripts import write_scripts
from tests.support.servers.live_server import LiveServer

NAME = "azureml-model-deployment"


class ScriptSite:
    """A server with a deployment for each of `deployments`; the first of them gets the requests that name none."""

    def __init__(self, folder: Path, deployments: dict[str, Any], *flags: str | Path) -> None:
        self.folder = write_scripts(folder)
        self.file = folder / "deployments.json"
        first = next(iter(deployments))
        self.file.write_text(json.dumps({"deployments": deployments, "traffic": {first: 100}}))
        self.server = LiveServer("--deployments", self.file, *flags)

    def ask(self, name: str, method: str = "POST", query: str = "", **options: Any) -> httpx.Response:
        """Send a request to a deployment."""
        headers = {NAME: name, **options.pop("headers", {})}
        return http.request(method, f"{self.server.url}/score{query}", headers=headers, **{"timeout": 60, **options})

    def do(self, what: str, name: str = "score", *, patience_s: float = 60, **more: Any) -> httpx.Response:
        """Have the script of a deployment do something."""
        return self.ask(name, json={"do": what, **more}, timeout=patience_s)


def script(name: str = "score", **settings: Any) -> dict[str, Any]:
    """Describe a deployment of one of the scripts."""
    return {"entry_script": f"{name}.py", "model_dir": "model", "settings": settings}
