"""Clients that public tools generate from the server's own description: they type-check, and score all four tasks."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import http
from tests.support.folders.checkpoints import write_automl_folder, write_json
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer
from tests.support.servers.protocol_site import JPEG, NAMED, TEXT

TOOLS = Path(sys.executable).parent
NODE = ROOT / "tests/node"
TASKS = ("fridge", "multilabel", "objects", "segmentation")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a model of each task."""
    folder = tmp_path_factory.mktemp("tasks")
    write_automl_folder(folder / "fridge", sizes=(80, 64))
    write_automl_folder(folder / "multilabel", sizes=(80, 64), multilabel=True)
    write_detector_folder(folder / "objects")
    write_detector_folder(folder / "segmentation", "maskrcnn_resnet18_fpn")
    plan = {"deployments": {name: {"model": name} for name in TASKS}, "traffic": {"fridge": 100}}
    patient = ("--queue-limit-ms", "600000", "--request-timeout-ms", "300000")
    with LiveServer("--deployments", write_json(folder / "plan.json", plan), *patient, ready_within_s=120) as running:
        running.wait_for(lambda: all(running.probe(f"/v2/models/{name}/ready") == 200 for name in TASKS), 120)
        yield running


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photographs") / "photograph.jpg"
    file.write_bytes(JPEG)
    return file


@pytest.fixture(scope="module")
def rows(server: LiveServer) -> dict[str, dict[str, Any]]:
    """What the model of each task says of the photograph."""
    body = {"input_data": [TEXT]}
    return {
        name: http.post(server.url + "/score", json=body, headers={NAMED: name}, timeout=300).json()[0]
        for name in TASKS
    }


def run(*command: Any, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def python_client(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client that openapi-python-client generates, as the package sightglass_client."""
    folder = tmp_path_factory.mktemp("python")
    done = run(
        TOOLS / "openapi-python-client",
        *("generate", "--url", server.url + "/openapi.json", "--meta", "none"),
        *("--output-path", folder / "sightglass_client"),
        cwd=folder,
        environment={"PATH": f"{TOOLS}:{os.environ['PATH']}"},
    )
    unsupported = [line for line in done.stderr.splitlines() if line.startswith(("Unsupported", "WARNING", "ERROR"))]
    # which the tool has no types for
    assert unsupported == [
        "WARNING parsing POST /invocations within scoring.",
        "Unsupported content type text/csv",
        "WARNING parsing POST /score within scoring.",
        "Unsupported content type image/*",
    ]
    return folder


def test_a_python_client_type_checks(python_client: Path) -> None:
    """All of it but the file that is the same for every API, and the example that uses it."""
    config = python_client / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\n[mypy-sightglass_client.client]\nignore_errors = true\n")
    run(
        *(sys.executable, "-m", "mypy", "--config-file", config, "--explicit-package-bases"),
        *("--cache-dir", python_client / "cache"),
        *("-p", "sightglass_client", "-p", "examples.clients.generated_client"),
        cwd=ROOT,
        environment={"MYPYPATH": f"{ROOT}:{python_client}"},
    )


@pytest.mark.parametrize("name", TASKS)
def test_a_python_client_scores(
    server: LiveServer, rows: dict[str, dict[str, Any]], python_client: Path, photograph: Path, name: str
) -> None:
    said = python_program(python_client, server, photograph, "--deployment", name)
    row = rows[name]
    if "probs" in row:
        prob, label = max(zip(row["probs"], row["labels"], strict=True))
        assert said == f"{photograph}: {label} {prob:.4f}\n"
    else:
        outline = " with an outline" if name == "segmentation" else ""
        found = [f"{one['label']} {one['score']:.4f}{outline}" for one in row["boxes"]]
        assert found
        assert said == f"{photograph}: {len(found)} objects: {', '.join(found)}\n"


def test_a_python_client_explains(server: LiveServer, python_client: Path, photograph: Path) -> None:
    said = python_program(python_client, server, photograph, "--explain", "gradcam")
    assert ", explained by gradcam: " in said


def python_program(python_client: Path, server: LiveServer, photograph: Path, *options: str) -> str:
    return run(
        *(sys.executable, "-m", "examples.clients.generated_client", photograph, "--url", server.url, *options),
        cwd=ROOT,
        environment={"PYTHONPATH": f"{ROOT}:{python_client}"},
    ).stdout


@pytest.fixture(scope="module")
def node(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tools of tests/node, and the description of the server's API."""
    if shutil.which("npm") is None:
        pytest.skip("needs node and npm: apt install npm")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(NODE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    command = ("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1", "--ignore-scripts")
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install tests/node: {installed.stderr[-200:]}")
    (folder / "openapi.json").write_bytes(http.get(server.url + "/openapi.json").content)
    return folder


@pytest.fixture(scope="module")
def typescript_client(node: Path) -> Path:
    """The same folder with the types of openapi-typescript, and a program that uses them, compiled strictly."""
    bin_folder = node / "node_modules/.bin"
    run(bin_folder / "openapi-typescript", "openapi.json", "--output", "sightglass.ts", cwd=node)
    run(bin_folder / "tsc", "--project", ".", cwd=node)
    return node


def test_a_typescript_client_scores_and_explains(
    server: LiveServer, rows: dict[str, dict[str, Any]], typescript_client: Path, photograph: Path
) -> None:
    said = json.loads(run("node", "build/score.js", server.url, photograph, cwd=typescript_client).stdout)
    multiclass, segments = rows["fridge"], rows["segmentation"]["boxes"]
    assert said["multiclass"] == max(zip(multiclass["probs"], multiclass["labels"], strict=True))[1]
    assert said["multilabel"] == pytest.approx(rows["multilabel"]["probs"], abs=1e-6)
    assert said["detection"] == [[one["label"], one["box"]["topX"]] for one in rows["objects"]["boxes"]]
    assert said["segmentation"] == [[one["label"], len(one["polygon"][0])] for one in segments]
    assert said["detection"] and said["segmentation"]
    assert (said["explained"], said["inferred"]) == ("gradcam", ["probs", "label"])
    assert said["drawn"] > 1000
    assert said["refused"] == "image_invalid"


def test_a_postman_collection_scores(server: LiveServer, node: Path) -> None:
    run(
        *(node / "node_modules/.bin/openapi2postmanv2", "-s", "openapi.json", "-o", "collection.json"),
        *("-O", "parametersResolution=Example"),
        cwd=node,
    )
    collection = json.loads((node / "collection.json").read_text())
    variables = {each["key"]: each["value"] for each in collection["variable"]}
    assert variables["baseUrl"] == server.url
    requests = {(each["method"], "/".join(each["url"]["path"])): each for each in requests_in(collection)}
    for path, model in (
        ("score", ""),
        ("invocations", ""),
        ("v1/models/{{model}}:predict", "fridge"),
        ("v1/models/{{model}}:explain", "fridge"),
        ("v2/models/:model/infer", "fridge"),
    ):
        request = requests["POST", path]
        headers = {each["key"]: each["value"] for each in request["header"]}
        url = f"{variables['baseUrl']}/{path}".replace("{{model}}", model).replace(":model", model)
        reply = http.post(url, content=request["body"]["raw"], headers=headers, timeout=300)
        assert reply.status_code == 200, reply.text[:500]


def requests_in(folder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in folder["item"]:
        if "item" in item:
            yield from requests_in(item)
        else:
            yield item["request"]
