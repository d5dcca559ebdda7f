"""Version 1 of KServe's protocol, by requests as its documents show them."""

from typing import Any

import pytest

from tests.support.servers.protocol_site import JPEG, MOST_BYTES, TEXT, ProtocolSite, assert_same_scores

PREDICT, EXPLAIN = "/v1/models/fridge:predict", "/v1/models/fridge:explain"
FAST = {"xai_algorithm": "gradcam", "visualizations": False}


def test_models_are_listed_and_tell_whether_they_are_ready(site: ProtocolSite) -> None:
    assert site.get("/v1/models").json() == {"models": ["fridge", "shelf", "objects"]}
    reply = site.get("/v1/models/objects")
    assert (reply.status_code, reply.json()) == (200, {"name": "objects", "ready": True})
    reply = site.get("/v1/models/frige")
    assert (reply.status_code, list(reply.json())) == (404, ["error"])
    assert "Did you mean 'fridge'?" in reply.json()["error"]


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", None])
def test_instances_are_scored_in_order(site: ProtocolSite, media_type: str | None) -> None:
    forms = [TEXT, {"b64": TEXT}, {"image": {"b64": TEXT}}, {"image_bytes": {"b64": TEXT}, "key": "a"}]
    body = {"instances": [*forms, {"data": TEXT}, {"data": {"b64": TEXT}}]}
    reply = site.post(PREDICT, body, media_type)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["azureml-model-deployment"] == "fridge"
    assert list(reply.json()) == ["predictions"]
    expected = site.post("/score", {"input_data": [TEXT] * 6}).json()
    assert_same_scores(reply.json()["predictions"], expected)


def test_explain_has_a_verb_of_its_own(site: ProtocolSite) -> None:
    reply = site.post(EXPLAIN, {"instances": [TEXT, {"b64": TEXT}], "parameters": {"xai_parameters": FAST}})
    assert list(reply.json()) == ["explanations"]
    first, second = reply.json()["explanations"]
    assert first["explanations"][0]["xai_algorithm"] == "gradcam"
    assert first == second
    (plain,) = site.post(EXPLAIN, {"instances": [TEXT]}).json()["explanations"]
    assert plain["explanations"][0]["xai_algorithm"] == "xrai", "as everywhere without parameters"
    (asked_not_to,) = site.post(
        PREDICT, {"instances": [TEXT], "parameters": {"model_explainability": False} | FAST}
    ).json()["predictions"]
    assert set(asked_not_to) == {"probs", "labels"}


REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "unknown model": ("/v1/models/frige:predict", {"instances": [TEXT]}, 404, "Did you mean 'fridge'?"),
    "unknown model, explain": ("/v1/models/x:explain", {"instances": [TEXT]}, 404, "Known: fridge, shelf, objects"),
    "unknown verb": ("/v1/models/fridge:score", {"instances": [TEXT]}, 405, "not allowed"),
    "a pattern": ("/v1/models/%7Bmodel%7D:predict", {"instances": [TEXT]}, 404, "no model '{model}'"),
    "no body": (PREDICT, b"", 400, "empty"),
    "half a json": (PREDICT, b'{"instances"', 400, "decoded as JSON"),
    "a list": (PREDICT, [TEXT], 400, "is a list"),
    "a picture": (PREDICT, JPEG, 400, "decoded as JSON"),
    "no instances": (PREDICT, {"data": [TEXT]}, 400, "`instances` is a NoneType"),
    "no list": (PREDICT, {"instances": TEXT}, 400, "`instances` is a str"),
    "an empty list": (PREDICT, {"instances": []}, 400, "an empty list"),
    "parameters in a list": (PREDICT, {"instances": [TEXT], "parameters": [1]}, 400, "`parameters` is a list"),
    "a number": (PREDICT, {"instances": [7]}, 422, "The picture is a int"),
    "another key": (PREDICT, {"instances": [TEXT, {"picture": TEXT}]}, 422, "has the keys ['picture'], but"),
    "no base64": (PREDICT, {"instances": ["%%%"]}, 422, "not valid base64"),
    "no picture": (PREDICT, {"instances": [TEXT[:400]]}, 422, "1 of 1 pictures cannot be scored"),
    "a misspelling": (EXPLAIN, {"instances": [TEXT], "parameters": {"xai_parameters": {"steps": 9}}}, 422, "'steps'"),
    "a box that is none": (
        "/v1/models/objects:explain",
        {"instances": [TEXT], "parameters": {"xai_parameters": {"target": {"box": {}, "label": "can"}}}},
        422,
        "is no box",
    ),
    "too many": (PREDICT, {"instances": [TEXT] * 7}, 413, "up to 6"),
    "large": (PREDICT, b" " * (MOST_BYTES + 1), 413, f"up to {MOST_BYTES}"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_errors_come_in_the_form_of_the_protocol(site: ProtocolSite, case: str) -> None:
    path, body, status, words = REFUSED[case]
    reply = site.post(path, body)
    assert reply.status_code == status, reply.text
    assert list(reply.json()) == ["error"]
    assert words in reply.json()["error"]
    assert site.post(PREDICT, {"instances": [TEXT]}).json()["predictions"] == [site.prediction()], "and it goes on"


def test_an_image_is_no_body(site: ProtocolSite) -> None:
    reply = site.post(PREDICT, JPEG, "image/jpeg")
    assert (reply.status_code, list(reply.json())) == (415, ["error"])
    assert "'image/jpeg' is not accepted" in reply.json()["error"]
