"""Labels of all kinds, wherever the server writes them or is told one."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import seeded_network, write_automl_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer, run_server

SIZES = (40, 32)
NAMED = "azureml-model-deployment"
PNG = encoded(painted(1, 60, 50), "PNG")
TEXT = base64.b64encode(PNG).decode()
# whole numbers, none of which is its position; texts that are nothing, twice there, or hard to write
LABELS: dict[str, list[Any]] = {
    "numbers": [7, 0, 3, -12],
    "texts": ["", "crane", "crane", 'a\n\x00"\x1b[31m<b>🐈\u2028'],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("labels")
    state = seeded_network(crop=32).state_dict()
    for name, labels in LABELS.items():
        write_automl_folder(folder / name, "artifacts", labels=labels, sizes=SIZES, state=state)
    plan = {"deployments": {name: {"model": name} for name in LABELS}, "traffic": {"numbers": 100}}
    (folder / "deployments.json").write_text(json.dumps(plan))
    with LiveServer("--deployments", folder / "deployments.json", ready_within_s=120) as running:
        running.wait_for(lambda: all(running.probe(f"/v2/models/{name}/ready") == 200 for name in LABELS), 120)
        yield running


def post(server: LiveServer, path: str, body: Any, name: str) -> httpx.Response:
    reply = http.post(server.url + path, json=body, headers={NAMED: name}, timeout=120)
    assert reply.status_code == 200, reply.text
    return reply


def score(server: LiveServer, name: str) -> dict[str, Any]:
    (row,) = post(server, "/score", {"input_data": {"columns": ["image"], "data": [TEXT]}}, name).json()
    return dict(row)


def explain(server: LiveServer, name: str, **parameters: Any) -> httpx.Response:
    asked = {"xai_algorithm": "gradcam", "captions": True, **parameters}
    cell = json.dumps({"image_base64": TEXT, "model_explainability": True, "xai_parameters": asked})
    body = {"input_data": {"columns": ["image"], "data": [cell]}}
    return http.post(server.url + "/score", json=body, headers={NAMED: name}, timeout=120)


@contract("Replies", "Labels that are whole numbers are written as numbers")
@pytest.mark.parametrize("name", LABELS)
def test_every_protocol_writes_labels_as_they_are(server: LiveServer, name: str) -> None:
    found = score(server, name)
    assert found["labels"] == LABELS[name]
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
    rows = [
        post(server, "/score", {"image": TEXT}, name).json(),
        post(server, "/invocations", {"inputs": [TEXT]}, name).json()["predictions"][0],
        post(server, f"/v1/models/{name}:predict", {"instances": [TEXT]}, name).json()["predictions"][0],
    ]
    assert [row["labels"] for row in rows] == [LABELS[name]] * len(rows)
    for outputs in ([], [{"name": "label"}, {"name": "probs", "parameters": {"classification": 4}}]):
        reply = post(server, f"/v2/models/{name}/infer", {"inputs": [tensor], "outputs": outputs}, name).json()
        best = str(LABELS[name][found["probs"].index(max(found["probs"]))])
        tensors = {each["name"]: each["data"] for each in reply["outputs"]}
        assert tensors["label"] == [best]
    assert sorted(text.split(":", 2)[2] for text in tensors["probs"]) == sorted(map(str, LABELS[name]))
    binary = [{"name": "label", "parameters": {"binary_data": True}}]
    content = post(server, f"/v2/models/{name}/infer", {"inputs": [tensor], "outputs": binary}, name).content
    assert content.endswith(len(best.encode()).to_bytes(4, "little") + best.encode())


@pytest.mark.parametrize("name", LABELS)
def test_descriptions_hold_labels_as_they_are(server: LiveServer, name: str) -> None:
    metadata = http.get(f"{server.url}/v2/models/{name}").json()
    assert metadata["parameters"]["labels"] == LABELS[name]
    for version in ("2", "3", "3.1"):
        reply = http.get(f"{server.url}/swagger.json?version={version}", headers={NAMED: name}).json()
        schemas = reply["definitions"] if version == "2" else reply["components"]["schemas"]
        labels = schemas["ServiceOutput"]["items"]["properties"]["labels"]
        kind = "integer" if name == "numbers" else "string"
        assert labels == {"type": "array", "items": {"type": kind}, "example": LABELS[name]}


@pytest.mark.parametrize(
    ("name", "target", "index"),
    [("numbers", 3, 3), ("numbers", "3", 2), ("numbers", "-12", 3), ("texts", 0, 0), ("texts", LABELS["texts"][3], 3)],
    ids=["a position", "a number as a text", "another", "the position of nothing", "an odd text"],
)
def test_a_target_is_a_position_or_the_text_of_a_label(server: LiveServer, name: str, target: Any, index: int) -> None:
    reply = explain(server, name, target=target)
    assert reply.status_code == 200, reply.text
    (row,) = reply.json()
    assert row["labels"] == LABELS[name]
    (explanation,) = row["explanations"]
    assert (explanation["target"], explanation["label"]) == (index, LABELS[name][index])
    assert base64.b64decode(row["visualizations"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("numbers", "7.0", "Give a label (7, 0, 3, -12) or a number from 0 to 3"),
        ("numbers", 7, "is no label of this model"),
        ("texts", "crane", "is the name of 2 labels of this model. Give the position of one instead: 1, 2."),
    ],
)
def test_a_target_that_is_unclear_is_refused(server: LiveServer, name: str, target: Any, words: str) -> None:
    reply = explain(server, name, target=target)
    assert reply.status_code == 422
    error = reply.json()
    assert error["code"] == "target_unknown"
    assert words in error["message"]


def test_a_label_that_is_no_text_ends_the_start_with_3(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, "artifacts", labels=["can", "caf\udce9"], sizes=SIZES)
    done = run_server("--model", folder, "--check")
    assert done.returncode == 3
    assert r"label 1 is 'caf\udce9', which is no Unicode text" in done.stderr
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr


def test_the_dry_run_shows_odd_labels_on_one_line(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, "artifacts", labels=LABELS["texts"], sizes=SIZES)
    done = run_server("--model", folder, "--check", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert r"labels        4: '', crane, crane, 'a\n\x00" in done.stdout
