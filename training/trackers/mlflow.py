"""MLflow: a run at a tracking server, by its REST API. See https://mlflow.org/docs/latest/api_reference/rest-api.html."""

import base64
import json
import math
import os
import time
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from training.trackers.tracker import RunStatus, TrackedRun, TrackerError

FILE = "mlflow.json"
"""Which run of which server it is, within the folder of a run, so that a run that goes on does so there as well."""

_EXPERIMENT = "sightglass"
_TIMEOUT_S = 5.0
_PAUSE_S = 60.0  # after a failure, so that a server that hangs costs little time
_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  # in one call
_LONGEST_VALUE = 500  # characters of a parameter that all versions of MLflow take
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MlflowTracker:
    """Sends the metrics and settings of a run to a tracking server.

    The experiment is named by MLFLOW_EXPERIMENT_NAME, else "sightglass". Credentials are those of MLflow's own clients:
    MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. What could not be sent is sent with
    what comes next.
    """

    name = "MLflow"

    def __init__(self, uri: str, environment: Mapping[str, str] | None = None) -> None:
        """TrackerError where `uri` is not that of a server."""
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TrackerError(f"{uri!r} is no tracking server of MLflow; expected http://HOST:PORT or https://HOST.")
        if parts.username or parts.password:
            raise TrackerError(
                f"The tracking server at {parts.hostname} was given with a user or password. Set them as "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead, since addresses are kept and shown."
            )
        given = os.environ if environment is None else environment
        self._uri = uri.rstrip("/")
        self._experiment = given.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
        self._headers = {"Content-Type": "application/json", **_authorization(given)}
        self._opener = build_opener(_NoRedirects)
        self._run: TrackedRun | None = None
        self._run_id: str | None = None
        self._waiting: list[dict[str, Any]] = []
        self._wait_until = 0.0

    def start(self, run: TrackedRun) -> None:
        """Create a run, or go on with the one that the folder names."""
        self._run = run
        self._send()

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Send the numbers of an epoch."""
        now = _milliseconds()
        self._waiting += [
            {"key": name, "value": value, "timestamp": now, "step": epoch}
            for name, value in metrics.items()
            if math.isfinite(value)
        ]
        self._send()

    def end(self, status: RunStatus) -> None:
        """Send what is left, and how the run ended."""
        self._wait_until = 0.0
        self._send()
        self._call("runs/update", {"run_id": self._run_id, "status": _STATUS[status], "end_time": _milliseconds()})

    def _send(self) -> None:
        if time.monotonic() < self._wait_until:
            return
        try:
            if self._run_id is None:
                assert self._run is not None, "start comes first"
                self._run_id = self._started(self._run)
            while self._waiting:
                batch = self._waiting[:_MOST_METRICS]
                self._call("runs/log-batch", {"run_id": self._run_id, "metrics": batch})
                del self._waiting[: len(batch)]
        except TrackerError:
            self._wait_until = time.monotonic() + _PAUSE_S
            raise

    def _started(self, run: TrackedRun) -> str:
        kept = run.folder / FILE
        if kept.is_file() and (run_id := self._continued(kept)):
            return run_id
        created = self._call(
            "runs/create",
            {"experiment_id": self._experiment_id(), "run_name": run.name, "start_time": _milliseconds()},
        )
        run_id = str(created["run"]["info"]["run_id"])
        parameters = [{"key": name, "value": _shortened(value)} for name, value in run.parameters.items()]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            self._call("runs/log-batch", {"run_id": run_id, "params": parameters[start : start + _MOST_PARAMETERS]})
        kept.write_text(json.dumps({"uri": self._uri, "run_id": run_id}))
        return run_id

    def _continued(self, kept: Path) -> str | None:
        """Return the id of the run that was begun before, unless that was elsewhere or it was deleted."""
        known = json.loads(kept.read_bytes())
        if known["uri"] != self._uri:
            return None
        try:
            self._call("runs/update", {"run_id": known["run_id"], "status": "RUNNING"})
        except _AbsentError:
            return None
        return str(known["run_id"])

    def _experiment_id(self) -> str:
        query = urlencode({"experiment_name": self._experiment})
        try:
            found = self._call(f"experiments/get-by-name?{query}")
        except _AbsentError:
            return str(self._call("experiments/create", {"name": self._experiment})["experiment_id"])
        return str(found["experiment"]["experiment_id"])

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._uri}/api/2.0/mlflow/{path}"
        try:
            with self._opener.open(Request(url, data, self._headers), timeout=_TIMEOUT_S) as response:
                return json.loads(response.read())
        except HTTPError as error:
            code, message = _said(error)
            kind = _AbsentError if code == "RESOURCE_DOES_NOT_EXIST" else TrackerError
            raise kind(f"{self._uri} answered {error.code} to {path.partition('?')[0]}: {message}.") from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise TrackerError(f"{self._uri} cannot be used as a tracking server: {reason}.") from None


class _AbsentError(TrackerError):
    pass


class _NoRedirects(HTTPRedirectHandler):
    """Credentials are for the server that was named."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _authorization(environment: Mapping[str, str]) -> dict[str, str]:
    if token := environment.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := environment.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{environment.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _said(error: HTTPError) -> tuple[str, str]:
    """Return the code and the message of a reply, as far as it has them."""
    text = error.read(10_000).decode(errors="replace")
    try:
        said = json.loads(text)
        return str(said["error_code"]), str(said["message"]).rstrip(".")
    except (ValueError, TypeError, KeyError):
        return "", " ".join(text.split())[:200] or error.reason


def _shortened(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _milliseconds() -> int:
    return int(time.time() * 1000)
