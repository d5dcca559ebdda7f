"""Explanations of boxes and masks through POST /score on the real server: targets, shapes, errors, and company."""

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import LABELS
from tests.support.folders.detector_folders import write_detector_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

PATIENT = ("--queue-limit-ms", "600000", "--request-timeout-ms", "300000")  # however slow and busy the machine is
IMAGES = [encoded(painted(seed, 200, 150), "PNG") for seed in range(3)]
NUMBERS = {"visualizations": False, "attributions": True, "attributions_format": "npy_base64"}
EDGES = ("topX", "topY", "bottomX", "bottomY")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_detector_folder(tmp_path_factory.mktemp("masks") / "model", "maskrcnn_resnet18_fpn")
    with LiveServer("--model", folder, *PATIENT) as running:
        yield running


def cell(data: bytes, parameters: Any = None, **more: Any) -> dict[str, Any]:
    content = {"image_base64": base64.b64encode(data).decode(), "model_explainability": True} | more
    return content if parameters is None else content | {"xai_parameters": parameters}


def post(server: LiveServer, *cells: Any) -> httpx.Response:
    body = {"input_data": {"columns": ["image"], "data": list(cells)}}
    return http.post(server.url + "/score", json=body, timeout=300)


def row(server: LiveServer, data: bytes, parameters: Any = None, **more: Any) -> dict[str, Any]:
    reply = post(server, cell(data, parameters, **more))
    assert reply.status_code == 200, reply.text
    (found,) = reply.json()
    return dict(found)


def error(server: LiveServer, parameters: Any) -> dict[str, Any]:
    reply = post(server, cell(IMAGES[0], parameters))
    assert reply.status_code == 422, reply.text
    return dict(reply.json())


def values(text: str) -> Any:
    return np.load(io.BytesIO(base64.b64decode(text)))


@contract(
    "Explanations",
    "Explanations of detectors are left out without a word",
    "better",
    "a map for each box, which tells objects of one label apart; with `compatibility: azureml` they are left out",
)
def test_the_best_box_is_explained(server: LiveServer) -> None:
    (plain,) = post(server, base64.b64encode(IMAGES[0]).decode()).json()
    found = row(server, IMAGES[0])
    assert list(found) == ["boxes", "visualizations", "attributions", "explanations"]
    assert found["boxes"] == plain["boxes"]
    assert found["attributions"] == [None]
    picture = Image.open(io.BytesIO(base64.b64decode(found["visualizations"][0])))
    assert picture.mode == "RGB"
    (one,) = found["explanations"]
    best = plain["boxes"][0]
    assert (one["target"], one["label"], one["score"], one["box"]) == (0, best["label"], best["score"], best["box"])
    assert (one["xai_algorithm"], one["aspect"], one["matched_iou"]) == ("odam", "label", 1.0)
    assert one["forward_passes"] == 1
    assert "As a proposal, this box scores" in one["notes"][0]
    hosted = row(server, IMAGES[0], {"compatibility": "azureml"})
    assert hosted == plain


@pytest.mark.parametrize("algorithm", ["odam", "integrated_gradients", "xrai", "drise"])
def test_the_energy_in_a_box_is_that_of_the_map(server: LiveServer, algorithm: str) -> None:
    found = row(server, IMAGES[1], {**NUMBERS, "xai_algorithm": algorithm, "top_k": 2, "n_steps": 4, "n_masks": 32})
    assert found["visualizations"] == [None, None]
    for text, one in zip(found["attributions"], found["explanations"], strict=True):
        array = values(text)
        assert array.dtype == np.float32
        assert array.shape == (48, 64)  # the image as the network saw it
        positive = array.clip(0)
        left, top, right, bottom = np.rint(np.array([one["box"][edge] for edge in EDGES]) * (64, 48, 64, 48)).astype(
            int
        )
        expected = positive[top:bottom, left:right].sum() / positive.sum()
        assert one["energy_in_box"] == pytest.approx(expected, abs=1e-4)
        assert 0 <= one["energy_in_mask"] <= 1
        at = np.unravel_index(array.argmax(), array.shape)
        assert one["pointing"] == bool(top <= at[0] < bottom and left <= at[1] < right)
        assert one["xai_algorithm"] == algorithm


def test_targets_are_positions_labels_and_boxes_in_the_order_asked(server: LiveServer) -> None:
    boxes = row(server, IMAGES[0])["boxes"]
    label = boxes[1]["label"]
    of_label = [position for position, each in enumerate(boxes) if each["label"] == label]
    own = {"box": {"topX": 0.1, "topY": 0.1, "bottomX": 0.6, "bottomY": 0.7}, "label": LABELS[0]}
    found = row(server, IMAGES[0], {"target": [2, label, own, 0], "visualizations": False})
    assert [one["target"] for one in found["explanations"]] == [2, *of_label, None, 0]
    clients = found["explanations"][1 + len(of_label)]
    assert clients["box"] == pytest.approx(own["box"], abs=1e-6)
    assert clients["label"] == LABELS[0]
    assert 0.3 <= clients["matched_iou"] <= 1
    assert 0 <= clients["score"] <= 1
    found = row(server, IMAGES[0], {"top_k": 3, "visualizations": False})
    assert [one["target"] for one in found["explanations"]] == [0, 1, 2]


@pytest.mark.parametrize("aspect", ["box", "left", "top", "right", "bottom", "mask"])
def test_each_aspect_has_a_map_of_its_own(server: LiveServer, aspect: str) -> None:
    label = values(row(server, IMAGES[2], NUMBERS)["attributions"][0])
    found = row(server, IMAGES[2], {**NUMBERS, "aspect": aspect})
    assert found["explanations"][0]["aspect"] == aspect
    assert np.abs(values(found["attributions"][0]) - label).max() > 0.01


@pytest.mark.parametrize("visualization", ["grid", "overlay", "heatmap", "contours"])
def test_pictures_show_the_box(server: LiveServer, visualization: str) -> None:
    found = row(server, IMAGES[0], {"visualization": visualization, "captions": False})
    assert Image.open(io.BytesIO(base64.b64decode(found["visualizations"][0]))).format == "PNG"


def test_all_boxes_may_share_one_picture(server: LiveServer) -> None:
    found = row(server, IMAGES[0], {"top_k": 3, "one_picture": True, "visualization": "heatmap", "captions": False})
    assert (len(found["visualizations"]), len(found["explanations"])) == (1, 3)
    assert Image.open(io.BytesIO(base64.b64decode(found["visualizations"][0]))).size == (200, 150)


BOX = {"topX": 0.2, "topY": 0.2, "bottomX": 0.6, "bottomY": 0.6}


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ({"target": 99}, "target_unknown", "has 12 boxes"),
        ({"target": "cann"}, "target_unknown", "Did you mean 'can'"),
        ({"target": {"box": BOX, "label": "cann"}}, "target_unknown", "Did you mean 'can'"),
        ({"target": {"box": BOX | {"topX": 0.7}, "label": "can"}}, "box_invalid", "less than bottomX"),
        ({"target": {"box": BOX | {"topX": -0.1}, "label": "can"}}, "box_invalid", "from 0 to 1"),
        ({"target": {"box": BOX | {"topX": "x"}, "label": "can"}}, "box_invalid", "from 0 to 1"),
        ({"target": {"box": {"topX": 0.1}, "label": "can"}}, "box_invalid", "topX, topY"),
        ({"target": {"box": BOX}}, "box_invalid", "'label'"),
        ({"target": [0, {"label": "can"}]}, "box_invalid", "'box'"),
        (
            {"target": {"box": {"topX": 0.5, "topY": 0.5, "bottomX": 0.5001, "bottomY": 0.5001}, "label": "can"}},
            "box_unmatched",
            "best IoU found is 0.0",
        ),
        ({"xai_algorithm": "gradcam"}, "algorithm_unsupported", "cannot tell those of one label apart"),
        ({"xai_algorithm": "odma"}, "algorithm_unknown", "Did you mean 'odam'"),
        ({"xai_algorithm": "xrai", "aspect": "box"}, "algorithm_unsupported", "use odam"),
        ({"aspect": "middle"}, "xai_parameters_invalid", "'aspect' is 'middle'"),
    ],
)
def test_errors_say_what_to_do(server: LiveServer, parameters: Any, code: str, words: str) -> None:
    told = error(server, parameters)
    assert told["code"] == code
    assert words in told["message"]


def test_a_box_of_a_tile_is_explained_in_the_tile(server: LiveServer) -> None:
    tiles = {"inference_parameters": {"tile_grid_size": [2, 1]}}
    found = row(server, IMAGES[0], {**NUMBERS, "top_k": 12}, **tiles)
    notes = [" ".join(one["notes"]) for one in found["explanations"]]
    within = [number for number, note in enumerate(notes) if "in the tile from" in note]
    assert within
    for number, text in enumerate(found["attributions"]):
        array = values(text)
        assert array.shape == (48, 64)
        if number in within:  # no tile shows the whole image
            assert (array.max(0) == 0).any()


def test_the_same_request_has_the_same_bits_alone_and_among_others(server: LiveServer) -> None:
    requests = [cell(IMAGES[0], {**NUMBERS, "xai_algorithm": name, "n_steps": 4}) for name in ("odam", "xrai")]
    alone = [post(server, one).json() for one in requests]
    with ThreadPoolExecutor(12) as pool:
        crowd = [requests[number % 2] for number in range(16)] + [cell(IMAGES[1], {**NUMBERS, "top_k": 3})] * 4
        together = list(pool.map(lambda one: post(server, one).json(), crowd))
    for number in range(16):
        assert together[number] == alone[number % 2]


def test_a_classifier_refuses_a_box(fridge_server: LiveServer) -> None:
    told = post(fridge_server, cell(IMAGES[0], {"target": {"box": BOX, "label": "can"}}))
    assert told.status_code == 422
    assert told.json()["code"] == "target_unknown"
    assert "whole pictures" in told.json()["message"]
    told = post(fridge_server, cell(IMAGES[0], {"xai_algorithm": "odam"}))
    assert told.json()["code"] == "algorithm_unsupported"


def test_version_1_explains_boxes_too(server: LiveServer) -> None:
    content = {
        "image": base64.b64encode(IMAGES[0]).decode(),
        "model_explainability": True,
        "xai_parameters": {"target": 1, "visualization": "overlay"},
    }
    reply = http.post(server.url + "/score", json=content, timeout=60)
    assert reply.status_code == 200, reply.text
    assert list(reply.json()) == ["filename", "boxes", "visualizations", "attributions", "explanations"]
    assert reply.json()["explanations"][0]["target"] == 1


def test_without_boxes_the_lists_are_empty(server: LiveServer) -> None:
    found = row(server, IMAGES[0], inference_parameters={"box_score_thresh": 0.9999999})
    assert found == {"boxes": [], "visualizations": [], "attributions": [], "explanations": []}
