"""Detectors behind the real server: both versions of the contract, what a request may set, and images of any kind."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import LABELS
from tests.support.folders.detector_folders import (
    SETTINGS,
    Reference,
    assert_alike,
    seeded_detector,
    write_detector_folder,
)
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

MASK = "maskrcnn_resnet18_fpn"
PATIENT = ("--queue-limit-ms", "60000", "--request-timeout-ms", "60000")  # a machine that others use too may be slow
IMAGES = [encoded(painted(seed, *size), "PNG") for seed, size in enumerate([(150, 200), (200, 150), (160, 200)])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector_folder(tmp_path_factory.mktemp("masks") / "model", MASK)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    with LiveServer("--model", folder, "--max-batch-images", "4", *PATIENT, "--bad-images", "report") as running:
        yield running


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def post(server: LiveServer, body: Any) -> httpx.Response:
    return http.post(server.url + "/score", json=body, timeout=60)


def boxes(server: LiveServer, data: bytes, **given: Any) -> list[Any]:
    cell = json.dumps({"image_base64": text(data), "inference_parameters": given})
    reply = post(server, {"input_data": {"columns": ["image"], "data": [cell]}})
    assert reply.status_code == 200, reply.text
    found: list[Any] = reply.json()[0]["boxes"]
    return found


@contract(
    "Replies", "Detection: `boxes` with `box`, `label`, `score`, in shares of the image; segmentation: `polygon` too"
)
def test_version_2_tells_boxes_with_polygons(server: LiveServer) -> None:
    reply = server.score(IMAGES)
    assert reply.status_code == 200
    reference = Reference(MASK, SETTINGS, seeded_detector(MASK))
    for row, data in zip(reply.json(), IMAGES, strict=True):
        assert list(row) == ["boxes"]
        assert list(row["boxes"][0]) == ["box", "label", "score", "polygon"]
        assert list(row["boxes"][0]["box"]) == ["topX", "topY", "bottomX", "bottomY"]
        assert_alike(row["boxes"], reference.boxes(data))


@contract("Replies", "Version 1 tells the boxes of one image")
def test_version_1_tells_the_same(server: LiveServer) -> None:
    raw = http.post(server.url + "/score", content=IMAGES[0], timeout=60)
    as_json = post(server, {"image": text(IMAGES[0])})
    for reply in (raw, as_json):
        assert list(reply.json()) == ["filename", "boxes"]
        assert reply.text.endswith("\n")
        assert_alike(reply.json()["boxes"], boxes(server, IMAGES[0]))


def test_replies_do_not_depend_on_who_asks_at_the_same_time(server: LiveServer) -> None:
    requests: list[tuple[bytes, dict[str, Any]]] = [(data, {}) for data in IMAGES]
    requests.append((IMAGES[0], {"tile_grid_size": [2, 1]}))
    alone = [boxes(server, data, **given) for data, given in requests] * 3
    requests *= 3
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda one: boxes(server, one[0], **one[1]), requests))
    for one, other in zip(together, alone, strict=True):
        assert_alike(one, other)


def test_a_request_sets_thresholds_for_all_its_images_and_a_cell_for_its_own(server: LiveServer) -> None:
    cells = [
        text(IMAGES[0]),
        json.dumps({"image_base64": text(IMAGES[0]), "inference_parameters": {"box_detections_per_img": 2}}),
    ]
    body = {"input_data": {"columns": ["image"], "data": cells}, "inference_parameters": {"box_detections_per_img": 5}}
    assert [len(row["boxes"]) for row in post(server, body).json()] == [5, 2]
    one = post(server, {"image": text(IMAGES[0]), "inference_parameters": {"box_detections_per_img": 3}})
    assert len(one.json()["boxes"]) == 3


@contract(
    "Requests",
    "Thresholds and tiles are fixed when a model is deployed",
    "better",
    "`inference_parameters` set them for a request, and what does not fit is said",
)
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"box_score_tresh": 0.1}, "Did you mean 'box_score_thresh'"),
        ({"box_score_thresh": 7}, "'box_score_thresh' is 7; expected a number from 0 to 1"),
        ([1], "`inference_parameters` is a list; expected an object"),
    ],
    ids=["unknown", "out of range", "no object"],
)
def test_what_cannot_be_set_is_refused(server: LiveServer, given: Any, words: str) -> None:
    reply = post(server, {"image": text(IMAGES[0]), "inference_parameters": given})
    assert (reply.status_code, reply.json()["code"]) == (422, "inference_parameters_invalid")
    assert words in reply.json()["message"]


def test_more_tiles_than_the_deadline_allows_are_refused_at_once(server: LiveServer) -> None:
    reply = post(server, {"image": text(IMAGES[0]), "inference_parameters": {"tile_grid_size": [64, 64]}})
    assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")
    assert "takes 4097 passes" in reply.json()["message"]


def grey(width: int, height: int) -> bytes:
    return encoded(Image.fromarray(painted(1, width, height)).convert("L"), "PNG")


@pytest.mark.parametrize(
    ("data", "given"),
    [
        (encoded(painted(1, 1, 1), "PNG"), {}),
        (encoded(painted(1, 10000, 50), "PNG"), {}),
        (encoded(painted(1, 20000, 1), "PNG"), {}),
        (encoded(painted(1, 10000, 50), "PNG"), {"tile_grid_size": [3, 2]}),
        (grey(90, 120), {}),
        (encoded(np.full((80, 80, 3), 255, dtype=np.uint8), "PNG"), {}),
    ],
    ids=["1x1", "10000x50", "20000x1", "10000x50 tiled", "grey", "white"],
)
def test_images_of_any_shape_get_a_right_reply(server: LiveServer, data: bytes, given: dict[str, Any]) -> None:
    for one in boxes(server, data, **given):
        left, top, right, bottom = one["box"].values()
        assert 0 <= left <= right <= 1 + 1e-6 and 0 <= top <= bottom <= 1 + 1e-6
        assert one["label"] in LABELS
        assert all(-1e-6 <= value <= 1 + 1e-6 for outline in one["polygon"] for value in outline)


@contract("Replies", "Nothing found is an empty list")
def test_no_boxes_and_hundreds_of_boxes(server: LiveServer) -> None:
    assert boxes(server, IMAGES[0], box_score_thresh=1.0) == []
    many = boxes(server, IMAGES[0], box_score_thresh=0.0, box_detections_per_img=400, nms_iou_thresh=1.0)
    assert len(many) == 400


def test_a_grid_larger_than_an_image_spoils_that_image_only(server: LiveServer) -> None:
    cells = [text(encoded(painted(1, 4, 4), "PNG")), text(IMAGES[0])]
    body = {"input_data": {"columns": ["image"], "data": cells}, "inference_parameters": {"tile_grid_size": [6, 1]}}
    # a machine that is busy with other tests may predict that so many tiles would be late
    server.wait_for(lambda: post(server, body).status_code == 200, 60)
    first, second = post(server, body).json()
    assert first["error"]["code"] == "tiles_empty"
    assert "a grid of 6x1 tiles leaves nothing of a picture of 4x4 pixels" in first["error"]["message"]
    assert second["boxes"]


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_detector_folder(tmp_path_factory.mktemp("boxes") / "model")
    with LiveServer("--model", folder, "--no-inference-parameters", "--max-batch-images", "1", *PATIENT) as running:
        yield running


def test_an_operator_may_leave_requests_nothing_to_set(strict_server: LiveServer) -> None:
    reply = post(strict_server, {"image": text(IMAGES[0]), "inference_parameters": {"box_score_thresh": 0.5}})
    assert (reply.status_code, reply.json()["code"]) == (422, "inference_parameters_invalid")
    assert "--inference-parameters" in reply.json()["message"]


def test_images_alone_in_their_batches_are_told_bit_by_bit_the_same(strict_server: LiveServer) -> None:
    def found_boxes(data: bytes) -> list[Any]:
        found: list[Any] = strict_server.score([data]).json()[0]["boxes"]
        return found

    alone = [found_boxes(data) for data in IMAGES]
    assert all(alone)
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(found_boxes, IMAGES * 2)) == alone * 2
