"""Requests that are large in an unusual place: each is answered alone, briefly, and at little cost."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import http
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

JPEG = encoded(painted(1, 120, 90), "JPEG")
TEXT = base64.b64encode(JPEG).decode()
JSON, CSV = "application/json", "text/csv"
SCORE, INVOKE = "/score", "/invocations"


@pytest.fixture(scope="module")
def post(fridge_server: LiveServer) -> Callable[..., Any]:
    model = http.get(fridge_server.url + "/v1/models").json()["models"][0]

    def post(path: str, body: Any, media_type: str = JSON) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = fridge_server.url + path.replace("NAME", model)
        return http.post(url, content=content, headers={"content-type": media_type}, timeout=120)

    return post


def cell(**more: Any) -> dict[str, Any]:
    return {"input_data": [{"image_base64": TEXT, "model_explainability": True, **more}]}


def tensor(**more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT], **more}]}


INFER, PREDICT = "/v2/models/NAME/infer", "/v1/models/NAME:predict"
# where a value can stand in a request, for each protocol
PLACES: dict[str, Callable[[Any], Any]] = {
    f"{SCORE} input_data": lambda value: {"input_data": value},
    f"{SCORE} columns": lambda value: {"input_data": {"columns": value, "data": [TEXT]}},
    f"{SCORE} column": lambda value: {"input_data": {"columns": [value] * 3, "data": [TEXT]}},
    f"{SCORE} data": lambda value: {"input_data": {"data": value}},
    f"{SCORE} row": lambda value: {"input_data": {"data": [value]}},
    f"{SCORE} image": lambda value: {"image": value},
    f"{SCORE} image_base64": lambda value: cell(image_base64=value),
    f"{SCORE} cell": lambda value: {"input_data": [{str(value): TEXT}]},
    f"{SCORE} text": lambda value: {"input_data": [json.dumps({"image_base64": value, "x": value})]},
    f"{SCORE} model_explainability": lambda value: cell(model_explainability=value),
    f"{SCORE} inference_parameters": lambda value: {**cell(), "inference_parameters": value},
    f"{SCORE} inference parameter": lambda value: cell(inference_parameters={"box_score_thresh": value}),
    f"{SCORE} key of inference": lambda value: cell(inference_parameters={str(value): 1}),
    f"{SCORE} xai_parameters": lambda value: cell(xai_parameters=value),
    f"{SCORE} xai key": lambda value: cell(xai_parameters={str(value): 1}),
    f"{SCORE} version 1": lambda value: {"image": TEXT, "model_explainability": value},
    f"{INVOKE} dataframe_split": lambda value: {"dataframe_split": value},
    f"{INVOKE} columns": lambda value: {"dataframe_split": {"columns": [value] * 9, "data": [[TEXT] * 9]}},
    f"{INVOKE} cell": lambda value: {"dataframe_split": {"columns": ["image"], "data": [value]}},
    f"{INVOKE} dataframe_records": lambda value: {"dataframe_records": value},
    f"{INVOKE} record": lambda value: {"dataframe_records": [{str(value): TEXT}]},
    f"{INVOKE} instances": lambda value: {"instances": value},
    f"{INVOKE} inputs": lambda value: {"inputs": {str(value): [TEXT]}},
    f"{INVOKE} input": lambda value: {"inputs": [value]},
    f"{INVOKE} params": lambda value: {"inputs": [TEXT], "params": value},
    f"{INVOKE} xai_parameters": lambda value: {"inputs": [TEXT], "params": {"xai_parameters": value}},
    f"{INVOKE} key": lambda value: {str(value): [TEXT]},
    f"{INFER} inputs": lambda value: {"inputs": value},
    f"{INFER} name": lambda value: tensor(name=value),
    f"{INFER} shape": lambda value: tensor(shape=value),
    f"{INFER} side": lambda value: tensor(shape=[value]),
    f"{INFER} datatype": lambda value: tensor(datatype=value),
    f"{INFER} data": lambda value: tensor(data=value),
    f"{INFER} element": lambda value: tensor(data=[value]),
    f"{INFER} size": lambda value: tensor(parameters={"binary_data_size": value}),
    f"{INFER} id": lambda value: {**tensor(), "id": value},
    f"{INFER} parameters": lambda value: {**tensor(), "parameters": value},
    f"{INFER} flag": lambda value: {**tensor(), "parameters": {"binary_data_output": value}},
    f"{INFER} outputs": lambda value: {**tensor(), "outputs": value},
    f"{INFER} output": lambda value: {**tensor(), "outputs": [{"name": value}]},
    f"{INFER} classification": lambda value: {
        **tensor(),
        "outputs": [{"name": "probs", "parameters": {"classification": value}}],
    },
    f"{PREDICT} instances": lambda value: {"instances": value},
    f"{PREDICT} instance": lambda value: {"instances": [value]},
    f"{PREDICT} b64": lambda value: {"instances": [{"image_bytes": {"b64": value}}]},
    f"{PREDICT} key": lambda value: {"instances": [{str(value): TEXT}]},
    f"{PREDICT} parameters": lambda value: {"instances": [TEXT], "parameters": value},
}
PARAMETERS = ("xai_algorithm", "target", "n_steps", "baseline", "colour_map", "compatibility", "quality", "seed")
PLACES |= {
    f"{SCORE} {name}": lambda value, name=name: cell(xai_parameters={name: value})  # type: ignore[misc]
    for name in PARAMETERS
}


@pytest.mark.parametrize("place", PLACES)
def test_a_megabyte_anywhere_is_answered_briefly(post: Callable[..., Any], place: str) -> None:
    million = "\u00e9" * 2**19
    for value in (million, [million], {million: million}, [["x" * 1000] * 1000], 10**4000):
        reply = post(place.split(maxsplit=1)[0], PLACES[place](value))
        # 200 where it is ignored, such as an unknown key beside the parameters
        assert reply.status_code < 500, reply.text[:500]
        assert len(reply.content) < 2**13, reply.text[:500]


@pytest.mark.parametrize(
    ("path", "body", "media_type"),
    [
        (INVOKE, b"x" * 2**20 + b"\nabc\n", CSV),
        (INVOKE, b"x," * 2**17 + b"\nabc\n", CSV),
        (SCORE, b'--a\r\nContent-Disposition: form-data; name="%s"\r\n\r\n1\r\n--a--' % (b"x" * 2**20), "form"),
        (SCORE, b"x" * 2**20, "image/png"),
        (SCORE, b'{"input_data": ' + b"[" * 2**20, JSON),
        (SCORE, b'{"input_data": ' + b"7" * 2**20 + b"}", JSON),
    ],
    ids=["csv", "csv columns", "form", "no image", "depth", "digits"],
)
def test_a_megabyte_of_another_kind_too(post: Callable[..., Any], path: str, body: bytes, media_type: str) -> None:
    reply = post(path, body, "multipart/form-data; boundary=a" if media_type == "form" else media_type)
    assert 400 <= reply.status_code < 500
    assert len(reply.content) < 2**13


WIDE = "\u00e9" * 3_000_000


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (cell(inference_parameters={"x": WIDE}), 422, "inference_parameters_invalid"),
        ({"image": TEXT, "inference_parameters": {"x": [0] * 200_000}}, 422, "inference_parameters_invalid"),
        (cell(xai_parameters={"target": WIDE}), 422, "xai_parameters_invalid"),
        (
            {"input_data": [cell(xai_parameters={"target": ["x" * 650] * 100})["input_data"][0]] * 256},
            413,
            "body_too_large",
        ),
    ],
    ids=["inference", "list", "target", "many targets"],
)
def test_wide_parameters_are_refused_alone(
    fridge_server: LiveServer, post: Callable[..., Any], body: Any, status: int, code: str
) -> None:
    others: list[int] = []

    def score() -> None:
        others.extend(fridge_server.score([JPEG]).status_code for _ in range(3))

    beside = threading.Thread(target=score)
    beside.start()
    reply = post(SCORE, body)
    beside.join()
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert set(others) <= {200, 429}, others


COSTLY: dict[str, tuple[str, Callable[[], bytes], str, int]] = {
    "lists": (SCORE, lambda: b'{"input_data": [%s[]]}' % (b"[]," * 20_000_000), JSON, 413),
    "records": (INVOKE, lambda: b'{"dataframe_records": [%s{}]}' % (b'{"image":1},' * 5_000_000), JSON, 413),
    "a cell": (SCORE, lambda: b'{"input_data": ["{%s"]}' % (b"\\u005b\\u005d\\u002c" * 3_000_000), JSON, 413),
    "empty lines": (INVOKE, lambda: b"image\n" + b"\n" * 60_000_000, CSV, 400),
    "one line": (INVOKE, lambda: b"image\n" + b"A" * 60_000_000, CSV, 422),
    "parts": (SCORE, lambda: b"--a\r\n\r\n\r\n" * 6_000_000 + b"--a--", "multipart/form-data; boundary=a", 400),
    "blanks": (SCORE, lambda: b'{"input_data": ["%s"]}' % (b"A A" * 20_000_000), JSON, 422),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_liveness_and_memory_bear_large_bodies(fridge_server: LiveServer, post: Callable[..., Any], kind: str) -> None:
    path, body, media_type, status = COSTLY[kind]
    content = body()
    with watched(fridge_server) as seen:
        assert post(path, content, media_type).status_code == status
    assert seen["slowest_s"] < 6, seen  # a quarter of a second where nobody else computes
    assert seen["bytes"] < 800 * 2**20, seen


def test_pixels_may_be_many_numbers(fridge_server: LiveServer, post: Callable[..., Any]) -> None:
    side = 1000
    data = b",".join([b"255"] * (side * side * 3))
    described = b'"name": "image", "datatype": "UINT8", "shape": [1, %d, %d, 3]' % (side, side)
    with watched(fridge_server) as seen:
        reply = post(INFER, b'{"inputs": [{%s, "data": [%s]}]}' % (described, data))
    assert reply.status_code == 200, reply.text[:500]
    assert seen["slowest_s"] < 6, seen


@contextmanager
def watched(server: LiveServer) -> Iterator[dict[str, float]]:
    """Measure the slowest liveness probe and the largest size of the HTTP processes meanwhile."""
    seen = {"slowest_s": 0.0, "bytes": 0.0}
    processes, ended = server.children("server.api"), threading.Event()
    assert processes

    def probe() -> None:
        with http.Client() as client:
            while not ended.wait(0.02):
                started = time.monotonic()
                assert client.get(server.url + "/health/live").status_code == 200
                seen["slowest_s"] = max(seen["slowest_s"], time.monotonic() - started)

    def measure() -> None:
        while not ended.wait(0.02):
            seen["bytes"] = max(seen["bytes"], *(process.memory_info().rss for process in processes))

    threads = [threading.Thread(target=work) for work in (probe, measure)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()
