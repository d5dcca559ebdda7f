"""What stands in a request's body, by every protocol: encodings, flags, cells with other keys, forms."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support import http
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

JPEG = encoded(painted(1, 120, 90), "JPEG")
TEXT = base64.b64encode(JPEG).decode()
JSON, INFER, PREDICT = "application/json", "/v2/models/NAME/infer", "/v1/models/NAME:predict"
Wrap = Callable[[Any, dict[str, Any]], dict[str, Any]]  # an image's text, and options -> a body


def by_cell(text: Any, options: dict[str, Any]) -> dict[str, Any]:
    return {"input_data": {"columns": ["image"], "data": [{"image_base64": text, **options}]}}


def by_tensor(text: Any, options: dict[str, Any]) -> dict[str, Any]:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    return {"inputs": [tensor], "outputs": [{"name": "predictions"}], "parameters": options}


PROTOCOLS: dict[str, tuple[str, Wrap]] = {
    "version 2": ("/score", by_cell),
    "version 2, text": (
        "/score",
        lambda text, options: {"input_data": [json.dumps({"image_base64": text, **options})]},
    ),
    "version 1": ("/score", lambda text, options: {"image": text, **options}),
    "mlflow": ("/invocations", lambda text, options: {"instances": [text], "params": options}),
    "mlflow cell": ("/invocations", lambda text, options: {"inputs": [{"image_base64": text, **options}]}),
    "kserve": (PREDICT, lambda text, options: {"instances": [{"b64": text}], "parameters": options}),
    "open inference": (INFER, by_tensor),
}


@pytest.fixture(scope="module")
def post(fridge_server: LiveServer) -> Callable[..., httpx.Response]:
    model = http.get(fridge_server.url + "/v1/models").json()["models"][0]

    def post(path: str, body: Any, media_type: str = JSON) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = fridge_server.url + path.replace("NAME", model)
        return http.post(url, content=content, headers={"content-type": media_type} if media_type else {}, timeout=120)

    return post


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_json_may_have_any_encoding_and_mark(post: Callable[..., httpx.Response], name: str, encoding: str) -> None:
    path, wrap = PROTOCOLS[name]
    body = json.dumps(wrap(TEXT, {})).encode(encoding)
    assert post(path, body).status_code == 200
    if path == "/score":
        for media_type in ("application/octet-stream", "application/x-www-form-urlencoded", "", "image/jpeg"):
            assert post(path, body, media_type).status_code == 200, media_type


@pytest.mark.parametrize("name", PROTOCOLS)
def test_flags_are_words_for_true_or_false(post: Callable[..., httpx.Response], name: str) -> None:
    path, wrap = PROTOCOLS[name]
    value: Any
    for value in ("maybe", 7, [], {}, "", 0.5):
        reply = post(path, wrap(TEXT, {"model_explainability": value}))
        assert reply.status_code == 422, (value, reply.text[:500])
        assert "expected true or false" in reply.text
    for value in (False, "False", "false", "no", 0, None):
        reply = post(path, wrap(TEXT, {"model_explainability": value, "xai_parameters": {}}))
        assert reply.status_code == 200, reply.text[:500]
        assert '"visualizations": "' not in reply.text
    for value in (True, "True", "yes"):
        options = {"model_explainability": value, "xai_parameters": {"xai_algorithm": "gradcam"}}
        assert post(path, wrap(TEXT, options)).text.count("visualizations") == 1


@pytest.mark.parametrize("name", PROTOCOLS)
def test_an_unknown_algorithm_is_named(post: Callable[..., httpx.Response], name: str) -> None:
    path, wrap = PROTOCOLS[name]
    options = {"model_explainability": True, "xai_parameters": {"xai_algorithm": "lrp"}}
    reply = post(path, wrap(TEXT, options))
    assert reply.status_code == 422
    assert "'lrp'; expected one of xrai, " in reply.text
    if path == "/score":
        assert reply.json()["code"] == "algorithm_unknown"


@pytest.mark.parametrize("flag", ["binary_data_output", "binary_data"])
def test_flags_of_tensors_are_words_too(post: Callable[..., httpx.Response], flag: str) -> None:
    for value, status in {"true": 200, "maybe": 400, 7: 400}.items():
        body = by_tensor(TEXT, {"binary_data_output": value} if flag == "binary_data_output" else {})
        if flag == "binary_data":
            body["outputs"] = [{"name": "probs", "parameters": {"binary_data": value}}]
        reply = post(INFER, body)
        assert reply.status_code == status
        if status == 200:
            assert reply.headers["content-type"] == "application/octet-stream"


SPELLINGS = {
    "capitals": "DATA:image/jpeg;base64," + TEXT,
    "blanks": "\n  data:image/jpeg;base64,\r\n" + TEXT,
    "parameters": 'data:image/jpeg;name="a, b.jpg";charset=utf-8;base64,' + TEXT,
    "url-safe": TEXT.replace("+", "-").replace("/", "_"),
    "no padding": TEXT.rstrip("="),
    "plus signs": TEXT.replace("+", " "),
    "a mark": "\ufeff" + TEXT,
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_base64_is_read_in_any_spelling(post: Callable[..., httpx.Response], name: str) -> None:
    assert "+" in TEXT
    path, wrap = PROTOCOLS[name]
    for spelling, text in SPELLINGS.items():
        reply = post(path, wrap(text, {}))
        assert reply.status_code == 200, (spelling, reply.text[:500])


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/score", {"input_data": [{"image": TEXT}]}, "has the keys ['image'], but no 'image_base64'"),
        ("/score", {"input_data": [json.dumps({"b64": TEXT})]}, "has the keys ['b64'], but no 'image_base64'"),
        ("/score", {"image": {"b64": TEXT}}, "an object with the keys ['b64']"),
        ("/invocations", {"inputs": {"image": [{"data": TEXT}]}}, "has the keys ['data'], but no 'image_base64'"),
        ("/invocations", {"instances": [{"data": TEXT}]}, "inputs ['image']: row 0 has data"),
        (PREDICT, {"instances": [{"picture": TEXT}]}, "has the keys ['picture'], but none of b64, data, image"),
        (PREDICT, {"instances": [{"image_bytes": {"x": TEXT}}]}, "has the keys ['x'], but none of b64, data"),
        (INFER, by_tensor({"b64": TEXT}, {}), "an object with the keys ['b64']"),
    ],
)
def test_other_keys_are_named(post: Callable[..., httpx.Response], path: str, body: Any, words: str) -> None:
    reply = post(path, body)
    assert reply.status_code in (400, 422)
    assert words in reply.text.replace('\\"', '"')


def test_only_chosen_files_of_a_form_are_scored(post: Callable[..., httpx.Response]) -> None:
    chosen = b'--a\r\nContent-Disposition: form-data; name="one"; filename="a.jpg"\r\n\r\n%s\r\n' % JPEG
    empty = b'--a\r\nContent-Disposition: form-data; name="two"; filename=""\r\n\r\n\r\n'
    form = "multipart/form-data; boundary=a"
    for body in (chosen + empty, empty + chosen, empty + empty + chosen + empty):
        reply = post("/score", body + b"--a--\r\n", form)
        assert (reply.status_code, len(reply.json())) == (200, 1)
    reply = post("/score", empty + empty + b"--a--\r\n", form)
    assert (reply.status_code, reply.json()["code"]) == (400, "form_invalid")
    assert "none was chosen" in reply.json()["message"]
