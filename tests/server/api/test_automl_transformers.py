"""Hugging Face models as AutoML trains them, whose clients read the labels of an image in the order of their scores."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from PIL import Image

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import LABELS, write_json
from tests.support.folders.transformers_folders import Reference, save_as_automl
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

IMAGES = [encoded(painted(seed, 120 + seed, 90), "JPEG") for seed in range(3)]
TEXTS = [base64.b64encode(data).decode() for data in IMAGES]
NAMES = {"multiclass": "BeitForImageClassification", "multilabel": "DeiTForImageClassification"}
SEVERAL = {"problem_type": "multi_label_classification"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("automl")
    for task, name in NAMES.items():
        save_as_automl(folder / task, name, **(SEVERAL if task == "multilabel" else {}))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    plan = {"deployments": {task: {"model": task} for task in NAMES}, "traffic": {"multiclass": 100}}
    with LiveServer("--deployments", write_json(folder / "plan.json", plan)) as running:
        running.wait_for(lambda: all(running.probe(f"/v2/models/{task}/ready") == 200 for task in NAMES), 60)
        yield running


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, list[list[tuple[str, float]]]]:
    """What the library says: for each task and image the labels and scores, the best first."""
    found = {}
    for task, name in NAMES.items():
        home = folder / task / "data"
        together = folder / f"{task} of the library"
        together.mkdir()
        for file in (*(home / "model").iterdir(), *(home / "tokenizer").iterdir()):
            (together / file.name).write_bytes(file.read_bytes())
        library = Reference(together, name)
        logits = [library.outputs(data).logits[0] for data in IMAGES]
        scores = [each.sigmoid() if task == "multilabel" else each.softmax(0) for each in logits]
        found[task] = [
            [(LABELS[index], float(row[index])) for index in torch.argsort(row, descending=True)] for row in scores
        ]
    return found


def post(server: LiveServer, path: str, body: Any, task: str = "multiclass", **more: Any) -> httpx.Response:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = {"azureml-model-deployment": task} | more
    return http.post(server.url + path, **content, headers=headers, timeout=120)


def is_ranked(row: dict[str, Any], expected: list[tuple[str, float]]) -> None:
    assert list(row) == [str(rank) for rank in range(len(expected))]
    assert [each["label"] for each in row.values()] == [label for label, _ in expected]
    scores = [score for _, score in expected]
    assert [each["score"] for each in row.values()] == pytest.approx(scores, abs=1e-5)


Expected = dict[str, list[list[tuple[str, float]]]]


@contract("Replies", "Hugging Face models trained by AutoML: labels and scores by rank, the best first")
@pytest.mark.parametrize("task", NAMES)
def test_the_hosted_reply_ranks_the_labels(server: LiveServer, expected: Expected, task: str) -> None:
    for body in (
        {"input_data": TEXTS},
        {"input_data": {"columns": ["image"], "index": [0, 1, 2], "data": TEXTS}},
        {"input_data": {"columns": [0], "index": [0, 1, 2], "data": [[text] for text in TEXTS]}},
    ):
        reply = post(server, "/score", body, task)
        assert reply.status_code == 200, reply.text
        for row, ranked in zip(reply.json(), expected[task], strict=True):
            is_ranked(row, ranked)


def test_the_cells_of_the_notebooks_read_it(server: LiveServer, expected: Expected) -> None:
    predictions = json.loads(post(server, "/score", {"input_data": TEXTS[:1]}).text)
    prediction = predictions[0]
    best_label, best_score = expected["multiclass"][0][0]
    assert prediction["0"]["label"] == best_label
    assert prediction["0"]["score"] == pytest.approx(best_score, abs=1e-5)

    predictions = json.loads(post(server, "/score", {"input_data": TEXTS[:1]}, "multilabel").text)
    threshold = 0.5
    chosen = [pred["label"] for pred in predictions[0].values() if pred["score"] > threshold]
    assert chosen == [label for label, score in expected["multilabel"][0] if score > threshold]
    assert 0 < len(chosen) < len(LABELS)


def test_an_explanation_stands_beside_the_ranks(server: LiveServer, expected: Expected) -> None:
    cell = {"image_base64": TEXTS[0], "model_explainability": True, "xai_parameters": {"xai_algorithm": "gradcam"}}
    (row,) = post(server, "/score", {"input_data": [cell]}).json()
    is_ranked({key: row.pop(key) for key in [*row] if key.isdigit()}, expected["multiclass"][0])
    assert set(row) == {"visualizations", "attributions", "explanations"}
    assert Image.open(io.BytesIO(base64.b64decode(row["visualizations"]))).format == "PNG"
    assert row["explanations"][0]["label"] == expected["multiclass"][0][0][0]


def test_mlflow_replies_as_its_own_server_does(server: LiveServer, expected: Expected) -> None:
    for body in (
        {"inputs": TEXTS},
        {"instances": TEXTS},
        {"dataframe_split": {"columns": [0], "data": [[text] for text in TEXTS]}},
        {"dataframe_records": [{"picture": text} for text in TEXTS]},
        {"inputs": {"anything": TEXTS}},
    ):
        reply = post(server, "/invocations", body)
        assert reply.status_code == 200, reply.text
        for row, ranked in zip(reply.json()["predictions"], expected["multiclass"], strict=True):
            is_ranked(row, ranked)
    other = post(server, "/invocations", {"dataframe_split": {"columns": ["a", "b"], "data": [[TEXTS[0], "x"]]}})
    assert (other.status_code, other.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_form_is_answered_as_version_2_and_all_others_as_for_any_model(
    server: LiveServer, expected: Expected
) -> None:
    form = http.post(server.url + "/score", files={"image": IMAGES[0]}, timeout=120).json()
    is_ranked(form[0], expected["multiclass"][0])
    rows = [
        post(server, "/score", IMAGES[0], **{"content-type": "image/jpeg"}).json(),
        post(server, "/score", {"image": TEXTS[0]}).json(),
        post(server, "/v1/models/multiclass:predict", {"instances": TEXTS[:1]}).json()["predictions"][0],
    ]
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": TEXTS[:1]}
    body = {"inputs": [tensor], "outputs": [{"name": "predictions"}]}
    output = post(server, "/v2/models/multiclass/infer", body).json()["outputs"][0]
    rows.append(json.loads(output["data"][0]))
    for row in rows:
        assert row["labels"] == list(LABELS)
        assert dict(zip(row["labels"], row["probs"], strict=True)) == pytest.approx(
            dict(expected["multiclass"][0]), abs=1e-5
        )


def test_the_description_of_the_service_says_so(server: LiveServer) -> None:
    described = http.get(server.url + "/swagger.json?version=3").json()
    row = described["components"]["schemas"]["ServiceOutput"]["items"]
    assert set(row["additionalProperties"]["properties"]) == {"label", "score"}
    signature = http.get(server.url + "/v2/models/multiclass").json()["parameters"]["signature"]
    assert signature == "image: string (required), by any name where it is the only one"


def test_the_start_warns_of_nothing(server: LiveServer) -> None:
    assert [line for line in server.log().splitlines() if "warning" in line.lower()] == []
