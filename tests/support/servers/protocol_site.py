"""One server with three models, for the tests of protocols, and what they do with it."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import http
from tests.support.folders.checkpoints import seeded_network, write_automl_folder
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import encoded, painted
from tests.support.servers.deployments_site import DeploymentsSite

JPEG = encoded(painted(1, 120, 90), "JPEG")
TEXT = base64.b64encode(JPEG).decode()
NAMED = "azureml-model-deployment"
JSON = "application/json"
MOST_BYTES = 300_000
# of the model `shelf`: the images are in another column, and are not alone
SHELF = (
    {"name": "picture", "type": "binary", "required": True},
    {"name": "shelf", "type": "string", "required": True},
    {"name": "remark", "type": "string", "required": False},
)


class ProtocolSite(DeploymentsSite):
    """A server with the deployments `fridge`, `shelf` (another signature) and `objects` (detects).

    Bodies may have MOST_BYTES, and 6 images.
    """

    def __init__(self, folder: Path, *arguments: str | Path) -> None:
        state = seeded_network(crop=64).state_dict()
        write_automl_folder(folder / "fridge", "mlflow-model", sizes=(80, 64), state=state)
        write_automl_folder(folder / "shelf", "artifacts", sizes=(80, 64), state=state, signature=SHELF)
        write_detector_folder(folder / "objects")
        models = {name: {"model": name} for name in ("fridge", "shelf", "objects")}
        limits = ("--max-body-bytes", str(MOST_BYTES), "--max-images", "6")
        super().__init__(folder, models, "fridge", "--grpc-port", "0", *limits, *arguments)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self.server.url.removeprefix("http://")

    def post(self, path: str, body: Any, media_type: str | None = JSON, **headers: str) -> httpx.Response:
        """Post bytes as they are, or anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        typed = {"content-type": media_type} if media_type else {}
        return http.post(self.server.url + path, content=content, headers=typed | headers, timeout=300)

    def get(self, path: str) -> httpx.Response:
        """Get a path."""
        return http.get(self.server.url + path, timeout=60)

    def prediction(self, content: bytes = JPEG, name: str = "fridge") -> dict[str, Any]:
        """Return what version 2 of the hosted contract says of an image."""
        (row,) = self.score(base64.b64encode(content).decode(), name)
        return dict(row)

    def score(self, cell: Any, name: str = "fridge") -> Any:
        """Return the reply of version 2 of the hosted contract to one cell."""
        reply = self.post("/score", {"input_data": {"columns": ["image"], "data": [cell]}}, **{NAMED: name})
        assert reply.status_code == 200, reply.text[:500]
        return reply.json()


def assert_same_scores(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Compare rows of a classifier. Which images share a batch decides how their probabilities round."""
    assert [row["labels"] for row in found] == [row["labels"] for row in expected]
    for row, other in zip(found, expected, strict=True):
        assert row["probs"] == pytest.approx(other["probs"], rel=0, abs=1e-6)
