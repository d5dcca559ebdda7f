"""One image by every protocol: the same numbers, whatever its encoding and form."""

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support import http
from tests.support.images import encoded, painted
from tests.support.servers.protocol_site import JPEG, NAMED, TEXT, ProtocolSite, assert_same_scores

Row = dict[str, Any]
LENGTH = "inference-header-content-length"
PNG = encoded(painted(2, 90, 130), "PNG")
ASKED = {
    "xai_algorithm": "integrated_gradients",
    "n_steps": 8,
    "target": "carton",
    "attributions": True,
    "attributions_format": "npy_base64",
    "captions": False,
    "visualization": "overlay",
}


def raw(site: ProtocolSite, name: str) -> Row:
    return plain(site.post("/score", JPEG, "image/jpeg", **{NAMED: name}).json())


def version_1(site: ProtocolSite, name: str) -> Row:
    return plain(site.post("/score", {"image": TEXT}, **{NAMED: name}).json())


def plain(row: Row) -> Row:
    """Leave out what version 1 adds to every reply."""
    return {key: value for key, value in row.items() if key not in ("filename", "visualizations", "attributions")}


def form(site: ProtocolSite, name: str) -> Row:
    files = {"image": ("a.jpg", JPEG, "image/jpeg")}
    (row,) = http.post(site.server.url + "/score", files=files, headers={NAMED: name}, timeout=60).json()
    return dict(row)


def hosted(content: Callable[[], Any]) -> Callable[[ProtocolSite, str], Row]:
    def way(site: ProtocolSite, name: str) -> Row:
        (row,) = site.post("/score", content(), **{NAMED: name}).json()
        return dict(row)

    return way


def mlflow(content: Any, media_type: str = "application/json") -> Callable[[ProtocolSite, str], Row]:
    def way(site: ProtocolSite, name: str) -> Row:
        reply = site.post("/invocations", content, media_type, **{NAMED: name})
        assert reply.status_code == 200, reply.text[:500]
        (row,) = reply.json()["predictions"]
        return dict(row)

    return way


def kserve(content: Any) -> Callable[[ProtocolSite, str], Row]:
    def way(site: ProtocolSite, name: str) -> Row:
        (row,) = site.post(f"/v1/models/{name}:predict", content).json()["predictions"]
        return dict(row)

    return way


def tensor(data: Any, **more: Any) -> Row:
    return {"name": "image", "shape": [1], "datatype": "BYTES", "data": data} | more


def inferred(site: ProtocolSite, name: str, body: Any, outputs: list[Row], **headers: str) -> Row:
    """Return the prediction, and what the tensors of a classifier say of it."""
    if not isinstance(body, bytes):
        body = {**body, "outputs": outputs}
    reply = site.post(f"/v2/models/{name}/infer", body, **headers)
    assert reply.status_code == 200, reply.text[:500]
    found = {output["name"]: output for output in reply.json()["outputs"]}
    row: Row = json.loads(found["predictions"]["data"][0])
    if "probs" in found:
        assert found["probs"]["data"] == row["probs"]
        assert found["label"]["data"] == [row["labels"][int(np.argmax(row["probs"]))]]
    return row


def outputs_of(name: str) -> list[Row]:
    names = ["predictions"] if name == "objects" else ["probs", "label", "predictions"]
    return [{"name": each} for each in names]


def open_inference(site: ProtocolSite, name: str) -> Row:
    return inferred(site, name, {"inputs": [tensor([TEXT])]}, outputs_of(name))


def open_inference_binary(site: ProtocolSite, name: str) -> Row:
    element = len(JPEG).to_bytes(4, "little") + JPEG
    described = {
        "name": "image",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(element)},
    }
    head = json.dumps({"inputs": [described], "outputs": outputs_of(name)}).encode()
    return inferred(site, name, head + element, [], **{LENGTH: str(len(head))})


def quoted(text: str) -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows([["", "image"], ["0", text]])
    return stream.getvalue().encode()


CELL = json.dumps({"image_base64": TEXT})
WAYS: Mapping[str, Callable[[ProtocolSite, str], Row]] = {
    "raw": raw,
    "version 1": version_1,
    "a bare list": hosted(lambda: {"input_data": [TEXT]}),
    "a cell that is an object": hosted(lambda: {"input_data": {"columns": ["image"], "data": [[CELL]]}}),
    "form": form,
    "dataframe_split": mlflow({"dataframe_split": {"columns": ["image"], "data": [[TEXT]]}}),
    "dataframe_split with an index": mlflow({"dataframe_split": {"columns": ["image"], "index": [7], "data": [TEXT]}}),
    "dataframe_split with more columns": mlflow({"dataframe_split": {"columns": ["x", "image"], "data": [[1, TEXT]]}}),
    "dataframe_records": mlflow({"dataframe_records": [{"image": TEXT}]}),
    "instances": mlflow({"instances": [TEXT]}),
    "instances in rows": mlflow({"instances": [[TEXT]]}),
    "instances with names": mlflow({"instances": [{"image": TEXT}]}),
    "instances that are cells": mlflow({"instances": [{"image_base64": TEXT}]}),
    "inputs": mlflow({"inputs": [TEXT]}),
    "inputs with names": mlflow({"inputs": {"image": [TEXT]}}),
    "inputs of one": mlflow({"inputs": {"image": TEXT}}),
    "inputs in rows": mlflow({"inputs": {"image": [[TEXT]]}}),
    "csv": mlflow(f"image\r\n{TEXT}\r\n".encode(), "text/csv; charset=utf-8"),
    "csv with lines in cells": mlflow(quoted(base64.encodebytes(JPEG).decode()), "text/csv"),
    "csv with a mark": mlflow(b"\xef\xbb\xbfimage\n" + TEXT.encode() + b"\n", "text/csv"),
    "kserve": kserve({"instances": [TEXT]}),
    "kserve b64": kserve({"instances": [{"b64": TEXT}]}),
    "kserve nested": kserve({"instances": [{"image_bytes": {"b64": TEXT}, "key": "1"}]}),
    "kserve inputs": kserve({"inputs": [{"image": TEXT}]}),
    "open inference": open_inference,
    "open inference, binary": open_inference_binary,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["fridge", "objects"])
def test_an_image_scores_the_same_by_every_protocol(site: ProtocolSite, way: str, name: str) -> None:
    expected = site.prediction(name=name)
    assert expected.get("probs") or expected["boxes"], "there is something to compare"
    assert WAYS[way](site, name) == expected


@pytest.mark.parametrize("in_json", [True, False])
@pytest.mark.parametrize("form", ["RGB", "L"])
def test_the_pixels_of_an_image_score_as_its_file(site: ProtocolSite, in_json: bool, form: str) -> None:
    with Image.open(io.BytesIO(PNG)) as image:
        data = encoded(image.convert(form), "PNG")
        pixels = np.asarray(image.convert(form).convert("RGB"))
    described: Row = {"name": "image", "shape": [1, *pixels.shape], "datatype": "UINT8"}
    if in_json:
        body: Any = {"inputs": [described | {"data": pixels.tolist()}]}
        found = inferred(site, "fridge", body, outputs_of("fridge"))
    else:
        described["parameters"] = {"binary_data_size": pixels.size}
        head = json.dumps({"inputs": [described], "outputs": outputs_of("fridge")}).encode()
        found = inferred(site, "fridge", head + pixels.tobytes(), [], **{LENGTH: str(len(head))})
    assert found == site.prediction(data)


def test_several_images_keep_their_order_by_every_protocol(site: ProtocolSite) -> None:
    texts = [base64.b64encode(encoded(painted(seed, 60, 50), "PNG")).decode() for seed in range(3)]
    expected = site.post("/score", {"input_data": texts}).json()
    assert len({row["probs"][0] for row in expected}) == 3
    table = {"dataframe_split": {"columns": ["image"], "data": [[text] for text in texts]}}
    assert_same_scores(site.post("/invocations", table).json()["predictions"], expected)
    assert_same_scores(site.post("/v1/models/fridge:predict", {"instances": texts}).json()["predictions"], expected)
    body = {"inputs": [tensor(texts, shape=[3])], "outputs": [{"name": "predictions"}]}
    (output,) = site.post("/v2/models/fridge/infer", body).json()["outputs"]
    assert_same_scores(list(map(json.loads, output["data"])), expected)


def explained_v1(site: ProtocolSite) -> Row:
    content = {"image": TEXT, "model_explainability": True, "xai_parameters": ASKED}
    row: Row = site.post("/score", content).json()
    del row["filename"]
    return row


def explained_by_text(site: ProtocolSite) -> Row:
    cell = json.dumps({"image_base64": TEXT, "model_explainability": "yes", "xai_parameters": ASKED})
    return dict(site.score(cell)[0])


def explained_by_invocations(content: Any) -> Callable[[ProtocolSite], Row]:
    return lambda site: mlflow(content)(site, "fridge")


def explained_by_kserve(verb: str, key: str, parameters: Row) -> Callable[[ProtocolSite], Row]:
    def way(site: ProtocolSite) -> Row:
        (row,) = site.post(f"/v1/models/fridge:{verb}", {"instances": [TEXT], "parameters": parameters}).json()[key]
        return dict(row)

    return way


def explained_by_open_inference(parameters: Row) -> Callable[[ProtocolSite], Row]:
    def way(site: ProtocolSite) -> Row:
        reply = site.post("/v2/models/fridge/infer", {"inputs": [tensor([TEXT])], "parameters": parameters})
        (output,) = reply.json()["outputs"]  # without being named: a tensor of numbers could not hold it
        return dict(json.loads(output["data"][0]))

    return way


EXPLAINED: Mapping[str, Callable[[ProtocolSite], Row]] = {
    "version 1": explained_v1,
    "a cell that is a text": explained_by_text,
    "invocations": explained_by_invocations({"inputs": [TEXT], "params": {"xai_parameters": ASKED}}),
    "invocations, keys alone": explained_by_invocations({"dataframe_records": [{"image": TEXT}], "params": ASKED}),
    "explain": explained_by_kserve("explain", "explanations", {"xai_parameters": ASKED}),
    "explain, keys alone": explained_by_kserve("explain", "explanations", ASKED),
    "predict": explained_by_kserve("predict", "predictions", {"model_explainability": True, "xai_parameters": ASKED}),
    "infer": explained_by_open_inference(ASKED),
    "infer, as a text": explained_by_open_inference({"xai_parameters": json.dumps(ASKED)}),
}


@pytest.mark.parametrize("way", EXPLAINED)
def test_an_explanation_is_the_same_by_every_protocol(site: ProtocolSite, way: str) -> None:
    cell = {"image_base64": TEXT, "model_explainability": True, "xai_parameters": ASKED}
    (expected,) = site.score(cell)
    assert set(expected) == {"probs", "labels", "visualizations", "attributions", "explanations"}
    assert expected["explanations"][0]["label"] == "carton"
    assert EXPLAINED[way](site) == expected


def test_thresholds_of_a_request_hold_by_every_protocol(site: ProtocolSite) -> None:
    options = {"inference_parameters": {"box_score_thresh": 0.5}}
    (expected,) = site.score({"image_base64": TEXT, **options}, "objects")
    assert len(expected["boxes"]) < len(site.prediction(name="objects")["boxes"])
    table = {"inputs": [TEXT], "params": options}
    assert mlflow(table)(site, "objects") == expected
    assert kserve({"instances": [TEXT], "parameters": options})(site, "objects") == expected
    parameters = {"inference_parameters": json.dumps(options["inference_parameters"])}
    body = {"inputs": [tensor([TEXT])], "parameters": parameters}
    assert inferred(site, "objects", body, outputs_of("objects")) == expected
