"""Explanations through POST /score on the real server: shapes, choices, errors, and company with plain scoring."""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from explain.network.executor import Executor
from explain.request.parameters import read_parameters
from explain.request.targets import predicted_target, target_selector
from explain.run import explain
from models.classifier import Classifier
from models.images.decoding import ImageLimits
from models.loaded import load_classifier
from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import write_automl_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

ALGORITHMS = ("xrai", "integrated_gradients", "gradcam", "guided_gradcam", "guided_backprop", "layercam")
IMAGES = [encoded(painted(seed, 120, 90), "JPEG") for seed in range(4)]
NUMBERS = {"visualizations": False, "attributions": True, "attributions_format": "npy_base64"}


@pytest.fixture(scope="module")
def server(fridge_folder: Path) -> Iterator[LiveServer]:
    # however slow and busy the machine is
    patient = ("--queue-limit-ms", "600000", "--request-timeout-ms", "300000")
    with LiveServer("--model", fridge_folder, *patient) as running:
        yield running


@pytest.fixture(scope="module")
def model(fridge_folder: Path) -> Classifier:
    return load_classifier(fridge_folder)


def cell(data: bytes, parameters: Any = None, explain: Any = True) -> dict[str, Any]:
    content = {"image_base64": base64.b64encode(data).decode(), "model_explainability": explain}
    return content if parameters is None else content | {"xai_parameters": parameters}


def post(server: LiveServer, *cells: Any) -> httpx.Response:
    body = {"input_data": {"columns": ["image"], "data": list(cells)}}
    return http.post(server.url + "/score", json=body, timeout=300)


def rows(server: LiveServer, *cells: Any) -> list[dict[str, Any]]:
    reply = post(server, *cells)
    assert reply.status_code == 200, reply.text[:500]
    return list(reply.json())


def numbers(text: str) -> np.ndarray[Any, Any]:
    return np.asarray(np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))


def png(text: str) -> Image.Image:
    opened = Image.open(io.BytesIO(base64.b64decode(text)))
    opened.load()
    return opened


@contract(
    "Explanations", "`model_explainability` and `xai_parameters`, `visualizations` and `attributions`, in both versions"
)
def test_the_hosted_contract_in_both_versions(server: LiveServer) -> None:
    parameters = {"xai_algorithm": "xrai", "attributions": True}
    (row,) = rows(server, json.dumps(cell(IMAGES[0], parameters)))
    assert png(row["visualizations"]).size[0] == 1200
    assert np.array(row["attributions"]).shape == (3, 64, 64)
    assert row["probs"] == pytest.approx(rows(server, base64.b64encode(IMAGES[0]).decode())[0]["probs"], abs=1e-6)
    body = {"image": base64.b64encode(IMAGES[0]).decode(), "model_explainability": True, "xai_parameters": parameters}
    one = http.post(server.url + "/score", json=body, timeout=60).json()
    assert one["attributions"] == row["attributions"]
    assert one["visualizations"] == row["visualizations"]
    assert one["filename"]


@contract("Explanations", "Both keys are there, null where switched off")
def test_both_keys_are_there_and_null_when_switched_off(server: LiveServer) -> None:
    (row,) = rows(server, cell(IMAGES[0], {"xai_algorithm": "gradcam", "visualizations": False}))
    assert (row["visualizations"], row["attributions"]) == (None, None)
    (row,) = rows(server, cell(IMAGES[0], {"xai_algorithm": "guided_backprop", "compatibility": "azureml"}))
    assert set(row) == {"probs", "labels", "visualizations", "attributions"}, "and nothing beyond the original"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_maps_are_those_of_the_library(server: LiveServer, model: Classifier, algorithm: str) -> None:
    parameters = {"xai_algorithm": algorithm} | NUMBERS
    (row,) = rows(server, cell(IMAGES[1], parameters))
    seen = model.crop(IMAGES[1], ImageLimits(10**7, 10**7))
    found = explain(Executor.for_model(model), seen, read_parameters(parameters), predicted_target).attributions[0]
    values = found.values.numpy()
    expected = values if values.ndim == 3 else np.stack([values] * 3)
    scale = np.abs(expected).max()
    assert np.abs(numbers(row["attributions"]) - expected).max() <= 2e-4 * scale
    (details,) = row["explanations"]
    assert details["target"] == found.target == int(np.argmax(row["probs"]))
    assert details["n_steps"] == found.n_steps


def test_rise_is_computed_by_the_runtime_that_scores(server: LiveServer, model: Classifier) -> None:
    asked = {"xai_algorithm": "rise", "n_masks": 40, "top_k": 2, "attributions_channels": 1} | NUMBERS
    (row,) = rows(server, cell(IMAGES[1], asked))
    seen = model.crop(IMAGES[1], ImageLimits(10**7, 10**7))
    selected = target_selector(read_parameters(asked), model.definition.labels, independent=False)
    expected = explain(Executor.for_model(model), seen, read_parameters(asked), selected).attributions
    for text, details, one in zip(row["attributions"], row["explanations"], expected, strict=True):
        assert np.corrcoef(numbers(text).ravel(), one.values.numpy().ravel())[0, 1] > 0.98
        assert details["target"] == one.target
        assert details["forward_passes"] == one.forward_passes == 41
        assert details["agreement"] == pytest.approx(one.agreement, abs=0.2)
        assert details["n_steps"] is None
        assert any("agree by" in note for note in details["notes"]) == (details["agreement"] < 0.8)


def test_a_budget_ends_rise_early(server: LiveServer) -> None:
    (row,) = rows(server, cell(IMAGES[1], {"xai_algorithm": "rise", "n_masks": 10_000, "explain_budget_ms": 200}))
    (details,) = row["explanations"]
    assert 33 <= details["forward_passes"] < 10_001
    assert details["agreement"] >= 0.9 or "masks." in details["notes"][0]
    assert png(row["visualizations"]).size[0] == 1200


@contract(
    "Requests",
    "All cells are read as the first one is: JSON texts or base64",
    "better",
    "each cell is read, and explained, as it asks for",
)
@pytest.mark.parametrize("algorithm", ["xrai", "integrated_gradients"])
def test_the_stages_of_an_explanation_add_up_to_its_total(server: LiveServer, algorithm: str) -> None:
    explained = cell(IMAGES[0], {"xai_algorithm": algorithm})
    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda _: post(server, explained), range(3)))
    for reply in replies:
        assert reply.status_code == 200
        timing = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
        total = float(timing.pop("total"))
        stages = {name: float(value) for name, value in timing.items()}
        assert sum(stages.values()) == pytest.approx(total, abs=0.5), stages
        assert stages["device"] > 0
        request_id = reply.headers["x-request-id"]
        server.wait_for(lambda request_id=request_id: f"request_id={request_id}" in server.log())
        (line,) = [line for line in server.log().splitlines() if f"request_id={request_id}" in line]
        logged = {name: float(value) for name, value in re.findall(r"(\w+)_ms=([\d.]+)", line)}
        assert logged == stages


def test_rows_may_differ_and_plain_ones_may_be_among_them(server: LiveServer) -> None:
    found = rows(
        server,
        base64.b64encode(IMAGES[0]).decode(),
        cell(IMAGES[1], {"xai_algorithm": "gradcam"} | NUMBERS),
        cell(IMAGES[2], explain="false"),
        json.dumps(cell(IMAGES[3], {"xai_algorithm": "guided_backprop", "target": ["carton", 0]} | NUMBERS, "yes")),
    )
    assert ["explanations" in row for row in found] == [False, True, False, True]
    assert [one["label"] for one in found[3]["explanations"]] == ["carton", "can"]
    assert len(found[3]["attributions"]) == 2
    first, second = map(numbers, found[3]["attributions"])
    assert not np.array_equal(first, second)


def test_the_best_labels_and_how_good_their_maps_are(server: LiveServer) -> None:
    parameters = {"xai_algorithm": "gradcam", "top_k": 3, "visualizations": False, "quality": True}
    (row,) = rows(server, cell(IMAGES[0], parameters))
    targets = [one["target"] for one in row["explanations"]]
    assert targets == list(np.argsort(row["probs"])[::-1][:3])
    for one in row["explanations"]:
        assert set(one["quality"]) == {"insertion_auc", "deletion_auc", "top_30_kept", "top_30_removed"}
        assert all(0 <= figure <= 1 for figure in one["quality"].values())


def test_a_label_is_explained_against_another(server: LiveServer) -> None:
    parameters = {"xai_algorithm": "gradcam", "target": "predicted"}
    (plain,) = rows(server, cell(IMAGES[0], parameters))
    (why,) = plain["explanations"]
    assert "against" not in why
    other = next(label for label in plain["labels"] if label != why["label"])
    (row, rest, itself) = (
        post(server, cell(IMAGES[0], parameters | {"against": against})) for against in (other, "rest", why["label"])
    )
    (contrast,) = row.json()[0]["explanations"]
    assert contrast == why | {"against": other, "notes": contrast["notes"]}
    assert row.json()[0]["visualizations"] != plain["visualizations"]
    assert rest.json()[0]["explanations"][0]["against"] == "rest"
    assert (itself.status_code, itself.json()["code"]) == (422, "xai_parameters_invalid")
    assert f"'{why['label']}' is explained against itself" in itself.json()["message"]


def test_the_whole_image_may_be_drawn(server: LiveServer) -> None:
    parameters = {"xai_algorithm": "gradcam", "visualization": "heatmap", "captions": False}
    (crop, whole) = rows(server, cell(IMAGES[0], parameters), cell(IMAGES[0], parameters | {"extent": "picture"}))
    assert png(crop["visualizations"]).size == (64, 64)
    assert png(whole["visualizations"]).size == (120, 90)


@pytest.mark.parametrize(("algorithm", "least"), [("integrated_gradients", 8), ("xrai", 4)])
def test_a_budget_ends_refinement(server: LiveServer, algorithm: str, least: int) -> None:
    parameters = {"xai_algorithm": algorithm, "visualizations": False}
    (free, short) = rows(server, cell(IMAGES[0], parameters), cell(IMAGES[0], parameters | {"explain_budget_ms": 1}))
    (details,) = short["explanations"]
    assert details["n_steps"] == least < free["explanations"][0]["n_steps"]
    assert f"The time allowed ended refinement at {least} steps." in details["notes"]


@contract("Explanations", "Wrong parameters are 500", "better", "422, with the key, the value and what was expected")
@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ({"xai_algorithm": "xria"}, "algorithm_unknown", "Did you mean 'xrai'?"),
        ({"n_steps": 1}, "xai_parameters_invalid", "'n_steps' is 1; expected a whole number from 2"),
        ({"nsteps": 50}, "xai_parameters_invalid", "Did you mean 'n_steps' or"),
        ("xrai", "xai_parameters_invalid", "expected a JSON object"),
        ({"target": "cartoon"}, "target_unknown", "Did you mean 'carton'"),
        ({"target": 4}, "target_unknown", "a number from 0 to 3"),
        ({"target": "can", "against": 9}, "target_unknown", "In 'against', 9 is no label of this model"),
        ({"target": "can", "against": "can"}, "xai_parameters_invalid", "'can' is explained against itself"),
    ],
)
def test_what_cannot_be_explained_is_refused_at_once(
    server: LiveServer, parameters: Any, code: str, words: str
) -> None:
    reply = post(server, base64.b64encode(IMAGES[0]).decode(), cell(IMAGES[0], parameters))
    assert (reply.status_code, reply.json()["code"]) == (422, code)
    assert words in reply.json()["message"]


def test_a_bad_image_is_a_bad_image(server: LiveServer) -> None:
    reply = post(server, cell(IMAGES[0]), cell(IMAGES[0][:300]))
    assert (reply.status_code, reply.json()["code"]) == (422, "image_invalid")
    assert reply.json()["details"][0]["position"] == 1


@contract("Explanations", "Explanations differ from call to call", "better", "the same request gets the same bits")
def test_fifty_at_once_get_the_maps_of_one_by_one(server: LiveServer) -> None:
    short = {"n_steps": 5}
    parameters: list[dict[str, Any]] = [{"xai_algorithm": name} | short for name in ALGORITHMS[:2]]
    parameters += [{"xai_algorithm": name} for name in ALGORITHMS[2:]]
    cells = [
        cell(IMAGES[number % 4], parameters[number % 6] | {"target": number % 2} | NUMBERS) for number in range(50)
    ]
    alone = [rows(server, one)[0] for one in cells[:12]]  # the others are these again
    with ThreadPoolExecutor(50) as pool:
        together = list(pool.map(lambda one: rows(server, one)[0], cells))
    for number, found in enumerate(together):
        expected = alone[number % 12]
        assert np.array_equal(numbers(expected["attributions"]), numbers(found["attributions"])), "to the last bit"
        assert expected["explanations"] == found["explanations"]


def test_scoring_goes_on_while_explanations_wait(server: LiveServer) -> None:
    waits: list[float] = []
    busy = threading.Event()

    def explanations() -> None:
        busy.set()
        rows(server, *[cell(IMAGES[0], {"n_steps": 40, "visualizations": False})] * 3)
        busy.clear()

    thread = threading.Thread(target=explanations)
    thread.start()
    busy.wait()
    time.sleep(0.3)
    while busy.is_set():
        started = time.monotonic()
        assert server.score([IMAGES[1]]).status_code == 200
        waits.append(time.monotonic() - started)
    thread.join()
    assert len(waits) >= 3, "scoring was answered again and again before the explanations were"


def test_a_departed_client_frees_the_device(server: LiveServer) -> None:
    with pytest.raises(httpx.TimeoutException):
        body = {"input_data": {"columns": ["image"], "data": [cell(IMAGES[0], {"n_steps": 1000})] * 4}}
        http.post(server.url + "/score", json=body, timeout=0.5)
    server.wait_for(lambda: server.metric("sightglass_queue_jobs") == 0, 10)


def test_hopeless_explanations_never_begin_alone_or_in_number(fridge_folder: Path) -> None:
    with LiveServer("--model", fridge_folder, "--request-timeout-ms", "1000") as server:
        parameters = {"xai_algorithm": "integrated_gradients", "n_steps": 1000}
        server.wait_for(lambda: "slices of explanations" in server.log())  # until then it cannot tell what they take
        started = time.monotonic()
        reply = post(server, cell(IMAGES[0], parameters | {"baseline": ["black"] * 8}))
        assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")
        assert "16009 passes" in reply.json()["message"]
        assert time.monotonic() - started < 0.9, "refused at once"
        # one of them ends in time on a machine far slower than this, all of them do not on one far faster
        started = time.monotonic()
        reply = post(server, *[cell(IMAGES[0], {"n_steps": 4, "xai_algorithm": "integrated_gradients"})] * 200)
        assert (reply.status_code, reply.json()["code"]) == (413, "too_many_images")
        assert "Send at most" in reply.json()["message"]
        assert time.monotonic() - started < 0.9, "refused at once"
        assert server.score([IMAGES[0]]).status_code == 200


@contract("Explanations", "Multilabel: every label above `confidence_score_threshold_multilabel`, strictly")
def test_every_label_above_the_threshold_of_a_multilabel_model(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, name="mobilenetv2", multilabel=True, sizes=(80, 64))
    with LiveServer("--model", folder) as server:
        parameters = {"xai_algorithm": "guided_gradcam"}
        (row,) = rows(server, cell(IMAGES[0], parameters | {"confidence_score_threshold_multilabel": 0.0}))
        assert len(row["visualizations"]) == 4
        assert row["attributions"] == [None] * 4
        (row,) = rows(server, cell(IMAGES[0], parameters | {"confidence_score_threshold_multilabel": 1.0}))
        assert (row["visualizations"], row["attributions"], row["explanations"]) == (None, None, [])


def test_an_algorithm_that_does_not_suit_the_architecture(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, name="vits16r224", sizes=(80, 64))
    with LiveServer("--model", folder, ready_within_s=200) as server:
        (row,) = rows(server, cell(IMAGES[0], {"xai_algorithm": "guided_backprop", "visualizations": False}))
        assert any("guide" in note for note in row["explanations"][0]["notes"]), "GELU has nothing to guide"
        for algorithm in ("gradcam", "attention"):
            (row,) = rows(server, cell(IMAGES[0], {"xai_algorithm": algorithm} | NUMBERS))
            assert numbers(row["attributions"]).shape == (3, 64, 64)
            assert numbers(row["attributions"]).any()
        reply = post(server, cell(IMAGES[0], {"xai_algorithm": "layercam"}))
        assert (reply.status_code, reply.json()["code"]) == (422, "algorithm_unsupported")
        assert "Use attention or gradcam" in reply.json()["message"]
