"""Runs at a tracking server, which reads and writes MLflow's own messages."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from google.protobuf.json_format import MessageToJson, ParseDict
from mlflow.protos import service_pb2 as messages

from training.trackers.mlflow import MlflowTracker
from training.trackers.tracker import TrackedRun, TrackerError

REQUESTS: dict[str, Any] = {
    "experiments/get-by-name": messages.GetExperimentByName,
    "experiments/create": messages.CreateExperiment,
    "runs/create": messages.CreateRun,
    "runs/log-batch": messages.LogBatch,
    "runs/update": messages.UpdateRun,
}
RUNNING, FINISHED, KILLED = 1, 3, 5


@dataclass
class TrackingServer:
    """Keeps what it is told. `broken` makes it answer 503, `moved` redirect."""

    uri: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    broken: bool = False
    moved: str = ""

    def answer(self, path: str, message: Any) -> tuple[int, Any]:
        self.calls.append((path, message))
        if path == "experiments/get-by-name":
            if message.experiment_name not in self.experiments:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such experiment."}
            number = str(self.experiments.index(message.experiment_name))
            return 200, messages.GetExperimentByName.Response(experiment=messages.Experiment(experiment_id=number))
        if path == "experiments/create":
            self.experiments.append(message.name)
            return 200, messages.CreateExperiment.Response(experiment_id=str(len(self.experiments) - 1))
        if path == "runs/create":
            self.runs.append(f"run{len(self.runs)}")
            return 200, messages.CreateRun.Response(run=messages.Run(info=messages.RunInfo(run_id=self.runs[-1])))
        if message.run_id not in self.runs:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Run '{message.run_id}' not found."}
        return 200, REQUESTS[path].Response()

    def of(self, path: str) -> list[Any]:
        return [message for called, message in self.calls if called == path]

    @property
    def metrics(self) -> list[tuple[int, str, float]]:
        return [(each.step, each.key, each.value) for batch in self.of("runs/log-batch") for each in batch.metrics]


@pytest.fixture
def server() -> Iterator[TrackingServer]:
    state = TrackingServer()

    class Calls(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self._reply(dict(parse_qsl(urlsplit(self.path).query)))

        def _reply(self, body: dict[str, Any]) -> None:
            path = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
            state.authorizations.add(self.headers["Authorization"])
            if state.broken or state.moved:
                status, reply = (302, {}) if state.moved else (503, "<html>\nno\n</html>")
            else:
                # Refuses fields that MLflow does not know
                status, reply = state.answer(path, ParseDict(body, REQUESTS[path]()))
            text = (
                MessageToJson(reply, preserving_proto_field_name=True)
                if hasattr(reply, "DESCRIPTOR")
                else json.dumps(reply)
            )
            self.send_response(status)
            if state.moved:
                self.send_header("Location", state.moved)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Calls) as listening:
        state.uri = f"http://127.0.0.1:{listening.server_port}"
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield state
        listening.shutdown()
        thread.join()


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.trackers.mlflow._PAUSE_S", 0.0)


def run(folder: Path, **parameters: Any) -> TrackedRun:
    return TrackedRun("fridge", folder, parameters)


def test_a_run_is_created_logged_and_ended(server: TrackingServer, tmp_path: Path) -> None:
    tracker = MlflowTracker(server.uri + "/", {})
    settings = {"model_name": "resnet18", "learning_rate": 0.01, "labels": ["can", "carton"], "long": "x" * 2000}
    tracker.start(run(tmp_path, **settings))
    tracker.log(0, {"accuracy": 0.5, "log_loss": float("inf")})
    tracker.log(1, {"accuracy": 0.75})
    tracker.end("finished")
    assert server.experiments == ["sightglass"]
    (created,) = server.of("runs/create")
    assert (created.experiment_id, created.run_name) == ("0", "fridge")
    assert created.start_time > 1.7e12, "milliseconds since 1970"
    parameters = {each.key: each.value for batch in server.of("runs/log-batch") for each in batch.params}
    assert parameters.pop("long") == "x" * 497 + "..."
    assert parameters == {"model_name": "resnet18", "learning_rate": "0.01", "labels": '["can", "carton"]'}
    assert server.metrics == [(0, "accuracy", 0.5), (1, "accuracy", 0.75)]
    (ended,) = server.of("runs/update")
    assert (ended.run_id, ended.status) == ("run0", FINISHED)
    assert ended.end_time >= created.start_time


def test_a_run_that_goes_on_is_the_same_run(server: TrackingServer, tmp_path: Path) -> None:
    for epoch, status in enumerate(("stopped", "finished")):
        tracker = MlflowTracker(server.uri, {})
        tracker.start(run(tmp_path, epochs=epoch))
        tracker.log(epoch, {"accuracy": 0.5})
        tracker.end(status)  # type: ignore[arg-type]
    assert server.runs == ["run0"]
    assert [update.status for update in server.of("runs/update")] == [KILLED, RUNNING, FINISHED]
    assert len(server.metrics) == 2
    server.runs.clear()
    MlflowTracker(server.uri, {}).start(run(tmp_path))
    assert server.runs == ["run0"], "a run that was deleted there is created again"
    assert len(server.of("runs/create")) == 2


def test_what_could_not_be_sent_is_sent_later(server: TrackingServer, tmp_path: Path, no_pause: None) -> None:
    server.broken = True
    tracker = MlflowTracker(server.uri, {})
    with pytest.raises(TrackerError, match=r"answered 503 to experiments/get-by-name: .*html"):
        tracker.start(run(tmp_path))
    with pytest.raises(TrackerError):
        tracker.log(0, {"accuracy": 0.25})
    server.broken = False
    tracker.log(1, {"accuracy": 0.5})
    assert server.metrics == [(0, "accuracy", 0.25), (1, "accuracy", 0.5)]


def test_a_server_that_failed_is_left_alone_for_a_while(server: TrackingServer, tmp_path: Path) -> None:
    server.broken = True
    tracker = MlflowTracker(server.uri, {})
    with pytest.raises(TrackerError):
        tracker.start(run(tmp_path))
    server.broken = False
    tracker.log(0, {"accuracy": 0.25})
    assert server.metrics == []
    tracker.end("finished")
    assert server.metrics == [(0, "accuracy", 0.25)]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_TOKEN": "secret"}, "Bearer secret"),
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"}, "Basic bWU6c2VjcmV0"),
    ],
    ids=["none", "token", "password"],
)
def test_credentials_and_the_experiment_are_those_of_the_environment(
    server: TrackingServer, tmp_path: Path, environment: dict[str, str], expected: str | None
) -> None:
    MlflowTracker(server.uri, environment | {"MLFLOW_EXPERIMENT_NAME": "kitchen & bath"}).start(run(tmp_path))
    assert server.authorizations == {expected}
    assert server.experiments == ["kitchen & bath"]


def test_credentials_follow_no_redirect(server: TrackingServer, tmp_path: Path) -> None:
    server.moved = server.uri + "/elsewhere"
    with pytest.raises(TrackerError, match="answered 302"):
        MlflowTracker(server.uri, {"MLFLOW_TRACKING_TOKEN": "secret"}).start(run(tmp_path))
    assert server.calls == []


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match=r"http://127\.0\.0\.1:1 cannot be used as a tracking server: .*refused"):
        MlflowTracker("http://127.0.0.1:1", {}).start(run(tmp_path))


def test_addresses_with_passwords_are_refused_and_not_shown() -> None:
    with pytest.raises(TrackerError, match="MLFLOW_TRACKING_PASSWORD") as refusal:
        MlflowTracker("https://me:secret@example.com", {})
    assert "secret" not in str(refusal.value)
