"""Bodies from strangers: parsers read whatever has the form of a protocol, and refuse all else as they declare."""

import base64
import csv
import io
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from benchmarks.fuzz.targets import done
from server.api.routes.scoring import parse_body
from server.codecs.body import RequestBody
from server.errors import ServiceError
from server.inference.scoring import ImageInput
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure
from server.protocol import Protocol, ProtocolRequest, ScoreResult
from server.protocol_catalog import PROTOCOLS

FACTS = ModelFacts("resnet18", "multiclass", ("can", "carton"))
PREDICTION = b'{"probs": [0.25, 0.75], "labels": ["can", "carton"]}'
SCORE, INVOKE, INFER = "/score", "/invocations", "/v2/models/{model}/infer"
PREDICT, EXPLAIN = "/v1/models/{model}:predict", "/v1/models/{model}:explain"
LENGTH = "inference-header-content-length"

# whatever comes after the mark of a JPEG, which tells it from base64 in binary data
IMAGES = st.lists(st.binary(max_size=60).map(lambda data: b"\xff\xd8" + data), min_size=1, max_size=4)


def ask(path: str, body: bytes, **headers: str) -> tuple[Protocol, list[Any], Any]:
    """Return the protocol that matches a body, the images that it read, and its note."""
    named = {"content-type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
    protocols = [protocol for protocol in PROTOCOLS if path in protocol.paths]
    request = ProtocolRequest(None, path, {"model": "fridge"}, Headers(named), FACTS)
    protocol, score_request = done(parse_body(protocols, RequestBody(body, Headers(named)), request))
    return protocol, list(score_request.images), score_request.note


def texts(pictures: list[bytes]) -> list[str]:
    return [base64.b64encode(picture).decode() for picture in pictures]


def tensor(**more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", **more}


def document(path: str, wrapped: Callable[[list[str]], Any]) -> Callable[[list[bytes]], list[Any]]:
    return lambda pictures: ask(path, json.dumps(wrapped(texts(pictures))).encode())[1]


def as_csv(pictures: list[bytes]) -> list[Any]:
    stream = io.StringIO()
    rows: list[list[Any]] = [
        ["number", "image"],
        *([number, base64.encodebytes(picture).decode()] for number, picture in enumerate(pictures)),
    ]
    csv.writer(stream).writerows(rows)
    return ask(INVOKE, stream.getvalue().encode(), content_type="text/csv")[1]


def as_binary_data(pictures: list[bytes]) -> list[Any]:
    tail = b"".join(struct.pack("<I", len(picture)) + picture for picture in pictures)
    described = tensor(shape=[len(pictures)], parameters={"binary_data_size": len(tail)})
    head = json.dumps({"inputs": [described]}).encode()
    return ask(INFER, head + tail, inference_header_content_length=str(len(head)))[1]


def as_form(pictures: list[bytes]) -> list[Any]:
    part = b'--cut here\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n%s\r\n'
    body = b"".join(part % picture for picture in pictures) + b"--cut here--\r\n"
    return ask(SCORE, body, content_type='multipart/form-data; boundary="cut here"')[1]


def table(data: list[str]) -> Any:
    return {"columns": ["x", "image"], "data": [[1, each] for each in data]}


WAYS: Mapping[str, Callable[[list[bytes]], list[Any]]] = {
    "version 2": document(SCORE, lambda data: {"input_data": {"columns": ["image"], "data": data}}),
    "version 2, rows": document(SCORE, lambda data: {"input_data": table(data)}),
    "form": as_form,
    "kserve": document(PREDICT, lambda data: {"instances": [{"b64": each} for each in data]}),
    "dataframe_split": document(INVOKE, lambda data: {"dataframe_split": table(data)}),
    "dataframe_records": document(INVOKE, lambda data: {"dataframe_records": [{"image": each} for each in data]}),
    "instances": document(INVOKE, lambda data: {"instances": data}),
    "inputs": document(INVOKE, lambda data: {"inputs": {"image": data}}),
    "csv": as_csv,
    "open inference": document(INFER, lambda data: {"inputs": [tensor(shape=[len(data)], data=data)]}),
    "open inference, binary": as_binary_data,
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(pictures=IMAGES)
def test_any_bytes_come_through_as_they_are(way: str, pictures: list[bytes]) -> None:
    read = WAYS[way](pictures)
    assert [image.data for image in read] == pictures


LONG = "x" * 8000
GIVEN_AT_LENGTH: Mapping[str, tuple[str, Any]] = {
    "columns": (SCORE, {"input_data": {"columns": [LONG] * 9, "data": [1]}}),
    "keys": (INVOKE, {f"{number}{LONG}": 1 for number in range(99)}),
    "columns of a table": (INVOKE, {"dataframe_split": {"columns": [LONG] * 99, "data": [[1] * 99]}}),
    "a shape": (INFER, {"inputs": [tensor(shape=[-1] * 5000)]}),
    "a shape of pixels": (INFER, {"inputs": [tensor(datatype="UINT8", shape=[1] * 5000)]}),
    "a shape of texts": (INFER, {"inputs": [tensor(shape=[1] * 5000)]}),
    "a datatype": (INFER, {"inputs": [tensor(datatype=LONG, shape=[1])]}),
    "a size": (INFER, {"inputs": [tensor(shape=[1], parameters={"binary_data_size": LONG})]}),
    "an input": (INFER, {"inputs": [tensor(name=LONG)]}),
    "an output": (INFER, {"inputs": [tensor(shape=[1], data=["/9j/"])], "outputs": [{"name": LONG}]}),
}


@pytest.mark.parametrize("case", GIVEN_AT_LENGTH)
def test_however_much_is_given_an_error_is_short(case: str) -> None:
    path, document = GIVEN_AT_LENGTH[case]
    with pytest.raises(ServiceError) as caught:
        ask(path, json.dumps(document).encode())
    assert caught.value.code in ("input_invalid", "signature_mismatch")
    assert len(caught.value.message) < 1000


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("/9j/")
KEYS = (
    "image", "b64", "image_base64", "columns", "data", "name", "shape", "datatype", "parameters", "binary_data_size",
    "classification", "xai_parameters", "inference_parameters", "model_explainability", "n_steps", "target",
)  # fmt: skip
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=10,
)


def objects(*keys: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that have some of these keys, with any value or with a likely one."""
    likely = dict.fromkeys(keys, JSON_VALUES) | {key: JSON_VALUES | value for key, value in more.items()}
    return st.fixed_dictionaries({}, optional=likely)


ROWS = st.lists(JSON_VALUES | st.lists(JSON_VALUES, max_size=2) | objects("image", "b64"), max_size=3)
TABLES = objects("index", columns=st.lists(st.just("image") | SCALARS, max_size=2), data=ROWS)
TENSORS = objects(
    "parameters",
    name=st.just("image"),
    shape=st.lists(st.integers(-1, 4), max_size=4),
    datatype=st.sampled_from(["BYTES", "UINT8", "FP32"]),
    data=ROWS | st.lists(st.integers(0, 256), max_size=12),
)
OUTPUTS = st.lists(
    objects(name=st.sampled_from(["probs", "label", "predictions"]), parameters=objects("classification"))
)
DOCUMENTS: Mapping[str, tuple[str, st.SearchStrategy[Any]]] = {
    "hosted": (SCORE, objects("image", "xai_parameters", "inference_parameters", input_data=TABLES | ROWS)),
    "predict": (PREDICT, objects("parameters", instances=ROWS, inputs=ROWS)),
    "explain": (EXPLAIN, objects("parameters", instances=ROWS, inputs=ROWS)),
    "tables": (INVOKE, objects("params", dataframe_split=TABLES, dataframe_records=ROWS)),
    "arrays": (INVOKE, objects("params", instances=ROWS, inputs=ROWS | objects(image=ROWS))),
    "infer": (INFER, objects("id", "parameters", inputs=st.lists(TENSORS, max_size=2), outputs=OUTPUTS)),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_document_is_read_or_refused_and_nothing_else(name: str, data: st.DataObject) -> None:
    path, strategy = DOCUMENTS[name]
    body = json.dumps(data.draw(strategy)).encode()
    try:
        protocol, images, note = ask(path, body)
        outcomes = [image if isinstance(image, Failure) else PREDICTION for image in images]
        assert all(isinstance(image, (ImageInput, Failure)) for image in images)
        written = protocol.write(ScoreResult(outcomes, "id", FACTS, 1, note))
    except ServiceError as error:
        assert 400 <= error.status < 500
    else:
        json.loads(written.body[: int(written.headers.get(LENGTH, len(written.body)))])


@settings(max_examples=500, deadline=None)
@given(
    body=st.binary(max_size=200),
    media_type=st.sampled_from(["application/json", "text/csv", "image/png", "multipart/form-data; boundary=a"]),
)
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes, media_type: str) -> None:
    for path in (SCORE, INVOKE, INFER, PREDICT):
        try:
            ask(path, body, content_type=media_type)
        except ServiceError as error:
            assert 400 <= error.status < 500
