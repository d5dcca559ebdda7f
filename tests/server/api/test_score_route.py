"""POST /score on the real server: every contract, and every error a request can cause."""

import base64
import json
import math
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from models.classifier import Classifier
from models.images.decoding import ImageLimits
from models.loaded import load_classifier
from tests.support import http
from tests.support.contract import contract
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

LABELS = ["can", "carton", "milk_bottle", "water_bottle"]
FIRST, SECOND = encoded(painted(1, 120, 90), "JPEG"), encoded(painted(2, 90, 130), "PNG")
TEXT = base64.b64encode(FIRST).decode()
LIMITS = ("--max-body-bytes", "300000", "--max-images", "4", "--max-image-bytes", "200000")


@pytest.fixture(scope="module")
def server(fridge_folder: Path) -> Iterator[LiveServer]:
    with LiveServer("--model", fridge_folder, *LIMITS, "--max-image-pixels", "250000") as running:
        yield running


@pytest.fixture(scope="module")
def model(fridge_folder: Path) -> Classifier:
    return load_classifier(fridge_folder)


def post(server: LiveServer, content: bytes = b"", media_type: str | None = None, **options: Any) -> httpx.Response:
    headers = {"content-type": media_type} if media_type else {}
    return http.post(server.url + "/score", content=content, headers=headers, timeout=30, **options)


def post_json(server: LiveServer, body: object) -> httpx.Response:
    return post(server, json.dumps(body).encode(), "application/json")


def expected(model: Classifier, data: bytes) -> list[float]:
    (output,) = model.outputs([model.crop(data, ImageLimits(10**7, 10**7))])
    return list(model.prediction(output).probs)


def assert_scores(found: dict[str, Any], model: Classifier, data: bytes) -> None:
    assert found["labels"] == LABELS
    assert found["probs"] == pytest.approx(expected(model, data), abs=1e-5)
    assert math.isclose(sum(found["probs"]), 1, abs_tol=1e-5)


@contract("Requests", "Version 2: any number of images, an object for each in their order, without `filename`")
def test_version_2_scores_in_order(server: LiveServer, model: Classifier) -> None:
    reply = server.score([FIRST, SECOND, FIRST])
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    found = reply.json()
    assert [set(one) for one in found] == [{"probs", "labels"}] * 3
    for one, data in zip(found, (FIRST, SECOND, FIRST), strict=True):
        assert_scores(one, model, data)


@contract(
    "Requests",
    "Version 1: the raw bytes of an image, with any of the usual content types; one JSON object and a line feed",
    "better",
    "the reply is called application/json, not text/html",
)
@pytest.mark.parametrize(
    "media_type",
    [
        "application/octet-stream",
        "image/jpeg",
        "image/png",
        "application/x-www-form-urlencoded",
        "application/json",  # as older clients of the hosted service call all bodies
        None,
    ],
)
def test_raw_bytes_get_the_reply_of_version_1(server: LiveServer, model: Classifier, media_type: str | None) -> None:
    reply = post(server, FIRST, media_type)
    assert reply.status_code == 200
    assert reply.text.endswith("}\n")
    found = reply.json()
    assert list(found) == ["filename", "probs", "labels", "visualizations", "attributions"]
    assert found["visualizations"] is None
    assert found["attributions"] is None
    assert_scores(found, model, FIRST)


@contract("Requests", 'Version 1: `{"image": BASE64}`')
@pytest.mark.parametrize(
    "media_type", ["application/json", "application/octet-stream", "application/json; charset=utf-8"]
)
def test_version_1_as_json(server: LiveServer, model: Classifier, media_type: str) -> None:
    found = post(server, json.dumps({"image": TEXT}).encode(), media_type).json()
    assert_scores(found, model, FIRST)
    assert found["filename"]


@contract("Requests", "Forms with files are not accepted", "better", "a multipart form is scored, which many asked for")
def test_a_form_uploads_files(server: LiveServer, model: Classifier) -> None:
    files = [("image", ("a.jpg", FIRST, "image/jpeg")), ("other", ("b.png", SECOND, "image/png"))]
    reply = http.post(server.url + "/score", files=files, data={"note": "ignored"}, timeout=30)
    assert reply.status_code == 200
    first, second = reply.json()
    assert_scores(first, model, FIRST)
    assert_scores(second, model, SECOND)


@contract(
    "Requests",
    "Cells may be JSON texts with `image_base64`",
    "better",
    "a `data:` prefix is taken off instead of spoiling the image",
)
def test_a_data_uri_and_a_json_cell_are_read(server: LiveServer, model: Classifier) -> None:
    cells = ["data:image/jpeg;base64," + TEXT, json.dumps({"image_base64": TEXT, "model_explainability": False})]
    for found in post_json(server, {"input_data": {"columns": ["image"], "index": [0, 1], "data": cells}}).json():
        assert_scores(found, model, FIRST)


@contract("Images and boxes", "JPEG, PNG, BMP, GIF, TIFF and WebP are read")
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_formats(server: LiveServer, form: str) -> None:
    assert server.score([encoded(painted(3, 60, 50), form)]).status_code == 200


BIG_PNG = encoded(Image.new("RGB", (1000, 1000)), "PNG")
NOT_FOUND = "/no/such/path"
JSON, FORM = "application/json", "multipart/form-data; boundary=b"
ERRORS: dict[str, tuple[bytes, str | None, int, str, str]] = {
    "no body": (b"", JSON, 400, "body_empty", "empty"),
    "half a json": (b'{"input_data"', JSON, 400, "body_not_json", "decoded as JSON"),
    "json that is no text": (b'{"image": "\xff"}', JSON, 400, "body_not_json", "can't decode byte 0xff"),
    "a json list": (b"[1]", JSON, 400, "body_not_object", "list"),
    "deep json": (b"[" * 100_000, JSON, 400, "body_not_json", "deeper than 64"),
    "other keys": (b'{"data": []}', JSON, 400, "input_missing", "'input_data'"),
    "no rows": (b'{"input_data": {"columns": ["image"], "data": []}}', JSON, 400, "input_invalid", "empty list"),
    "no form": (b"x", "multipart/form-data", 400, "form_invalid", "boundary"),
    "no file": (b"--b\r\n\r\n--b--\r\n", "multipart/form-data; boundary=b", 400, "form_invalid", "form"),
    "half a form": (
        b'--b\r\nContent-Disposition: form-data; filename="a"\r\n\r\n',
        FORM,
        400,
        "form_invalid",
        "ends before",
    ),
    "a charset": (b"--b--", FORM + "; charset=undefined", 400, "form_invalid", "holds no file"),
    "xml": (b"<a/>", "application/xml", 415, "content_type", "application/json"),
    "too many": (json.dumps({"input_data": [TEXT] * 5}).encode(), JSON, 413, "too_many_images", "up to 4"),
    "large body": (b"x" * 400_000, "image/jpeg", 413, "body_too_large", "300000"),
    "no picture": (b"hello", "image/jpeg", 422, "image_invalid", "not a JPEG"),
    "large picture": (b"x" * 250_000, "image/jpeg", 422, "image_invalid", "200000"),
    "many pixels": (BIG_PNG, "image/png", 422, "image_invalid", "1000x1000"),
    "half a picture": (FIRST[: len(FIRST) // 2], "image/jpeg", 422, "image_invalid", "damaged"),
}


@contract(
    "Errors and bad images",
    "400 for an empty body, no JSON, no object, no `input_data`; 415 for other content types; `message` says so",
    "better",
    "`code` is stable for programs, `request_id` leads to the log, and what is wrong in a request is 4xx, never 500",
)
@pytest.mark.parametrize("case", ERRORS)
def test_errors_say_what_to_do(server: LiveServer, case: str) -> None:
    content, media_type, status, code, words = ERRORS[case]
    reply = post(server, content, media_type)
    body = reply.json()
    assert (reply.status_code, body["code"]) == (status, code)
    assert words in body["message"]
    assert body["request_id"] == reply.headers["x-request-id"]


def test_a_rejected_request_names_every_bad_position(server: LiveServer) -> None:
    body = post_json(server, {"input_data": {"columns": ["image"], "data": [TEXT, "%%%", TEXT, 7]}}).json()
    assert [(detail["position"], detail["code"]) for detail in body["details"]] == [
        (1, "base64_invalid"),
        (3, "base64_invalid"),
    ]
    assert "2 of 4 pictures" in body["message"]
    body = server.score([FIRST, FIRST[:200], b"text"]).json()
    assert [(detail["position"], detail["code"]) for detail in body["details"]] == [
        (1, "image_unreadable"),
        (2, "image_format"),
    ]


@contract("Routes, headers and life cycle", "404 and 405 with `message`")
def test_other_paths_and_methods(server: LiveServer) -> None:
    reply = http.get(server.url + NOT_FOUND)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    reply = http.delete(server.url + "/score")
    assert (reply.status_code, reply.json()["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert http.delete(server.url + "/").headers["allow"] == "GET, HEAD, OPTIONS"


def test_request_ids_are_echoed_or_made(server: LiveServer) -> None:
    reply = post(server, FIRST, "image/jpeg")
    assert len(reply.headers["x-request-id"]) == 36
    timing = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
    assert list(timing) == ["read", "decode", "queue", "device", "encode", "reply", "total"]
    *stages, total = map(float, timing.values())
    assert 0 < max(stages) <= total < 10_000
    assert sum(stages) == pytest.approx(total, abs=0.5), "rounded to a tenth each"
    reply = http.post(server.url + "/score", content=FIRST, headers={"x-request-id": "mine-17"})
    assert reply.headers["x-request-id"] == "mine-17"
    assert reply.json()["filename"] == "mine-17"
    reply = http.post(server.url + "/score", content=FIRST, headers={"x-request-id": "x" * 101})
    assert (reply.status_code, reply.json()["code"]) == (431, "request_id_too_long")
    server.wait_for(lambda: "request_id=mine-17" in server.log())


def test_a_body_without_a_length_is_bounded_while_it_is_read(server: LiveServer) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    reply = http.post(server.url + "/score", content=endless(), headers={"content-type": "image/jpeg"}, timeout=30)
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")


def test_a_client_that_asks_before_sending_is_spared_a_large_body(server: LiveServer) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 999999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"POST /score HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"\x00" * 500,
    ],
    ids=["tls", "no path", "negative length", "zeros"],
)
def test_what_is_not_http_harms_nobody(server: LiveServer, garbage: bytes) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        assert not connection.recv(1000).startswith(b"HTTP/1.1 5")
    assert server.score([FIRST]).status_code == 200


def test_the_api_describes_itself(server: LiveServer) -> None:
    described = http.get(server.url + "/openapi.json").json()
    assert {"/score", "/invocations", "/v2/models/{model}/infer", "/v1/models/{model}:explain"} < set(
        described["paths"]
    )
    assert {"/", "/health/live", "/health/ready", "/metrics", "/deployments/{name}"} < set(described["paths"])
    body = described["paths"]["/score"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/octet-stream", "image/*", "multipart/form-data"}
    assert http.get(server.url + "/docs").status_code == 200


def test_metrics_count_what_happened(server: LiveServer) -> None:
    server.score([FIRST, SECOND])
    post(server, b"hello", "image/jpeg")
    for code in ("200", "422"):
        assert server.metric("sightglass_requests_total", code=code, route="/score") >= 1
    assert server.metric("sightglass_dropped_images_total", reason="undecodable") >= 1
    for stage in ("decode", "queue", "device", "encode"):
        assert server.metric("sightglass_stage_seconds_count", stage=stage) >= 2
    assert server.metric("sightglass_batch_images_count") >= 1
    assert server.metric("sightglass_queue_jobs") == 0
    text = http.get(server.url + "/metrics").text
    assert NOT_FOUND not in text, "paths that clients invent must not become labels"


def test_a_body_without_a_length_may_be_too_large_by_its_last_bytes(server: LiveServer) -> None:
    parts = iter([b"x" * 299_990, b"x" * 20])
    reply = http.post(server.url + "/score", content=parts, headers={"content-type": "image/png"})
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")


def test_bodies_in_flight_have_a_bound_together(server: LiveServer) -> None:
    head = b"POST /score HTTP/1.1\r\nhost: a\r\ncontent-type: image/png\r\ncontent-length: 300000\r\n\r\n"
    # five of them fill the bound; one may be refused itself, while others are answered
    stalled = [socket.create_connection((httpx.URL(server.url).host, httpx.URL(server.url).port)) for _ in range(6)]
    try:
        for connection in stalled:
            connection.sendall(head + b"x" * 299_000)
        refused = wait_for(server, 429)
        assert refused.json()["code"] == "queue_full"
        assert "holds 1200000" in refused.json()["message"]
        assert refused.headers["retry-after"] == "1"
        assert server.probe("/health/ready") == 200
    finally:
        for connection in stalled:
            connection.close()
    wait_for(server, 200)


def wait_for(server: LiveServer, status: int) -> httpx.Response:
    """Post an image of 20 kB until it is answered so."""
    image = encoded(painted(1, 120, 90), "BMP")
    assert len(image) > 20_000
    reply = httpx.Response(0)

    def arrived() -> bool:
        nonlocal reply
        reply = post(server, image, "image/bmp")
        return reply.status_code == status

    server.wait_for(arrived)
    return reply
