"""The Open Inference Protocol with its own client, tritonclient, and what that client cannot send."""

import asyncio
import base64
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from PIL import Image
from starlette.datastructures import Headers
from tritonclient.utils import InferenceServerException

from server.codecs.body import RequestBody
from server.errors import ServiceError
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure
from server.protocol import ProtocolRequest, ScoreResult
from server.protocols.open_inference import PROTOCOL
from tests.support.images import encoded, painted
from tests.support.servers.protocol_site import JPEG, MOST_BYTES, TEXT, ProtocolSite

INFER = "/v2/models/fridge/infer"
LENGTH = "inference-header-content-length"
LABELS = ["can", "carton", "milk_bottle", "water_bottle"]
PNG = encoded(painted(2, 90, 130), "PNG")


@pytest.fixture(scope="module")
def client(site: ProtocolSite) -> Iterator[Any]:
    with triton.InferenceServerClient(site.address, network_timeout=300, connection_timeout=300) as client:
        yield client


def tensor(values: Any, datatype: str = "BYTES", *, binary: bool = True) -> Any:
    array = np.array(values, dtype=object) if datatype == "BYTES" else values
    sent = triton.InferInput("image", list(array.shape), datatype)
    sent.set_data_from_numpy(array, binary_data=binary)
    return sent


def output(name: str, **options: Any) -> Any:
    return triton.InferRequestedOutput(name, **options)


def test_the_server_and_its_models_describe_themselves(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "sightglass"
    described = client.get_model_metadata("fridge")
    assert (described["name"], described["versions"]) == ("fridge", ["1"])
    assert described["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    outputs = [(output["name"], output["datatype"], output["shape"]) for output in described["outputs"]]
    assert outputs == [("probs", "FP32", [-1, 4]), ("label", "BYTES", [-1]), ("predictions", "BYTES", [-1])]
    assert described["parameters"]["labels"] == LABELS
    assert described["parameters"]["valid_crop_size"] == 64
    assert described["parameters"]["signature"] == "image: binary (required)"
    assert [output["name"] for output in client.get_model_metadata("objects")["outputs"]] == ["predictions"]


def test_the_signature_of_a_model_is_shown(client: Any) -> None:
    shown = client.get_model_metadata("shelf")["parameters"]["signature"]
    assert shown == "picture: binary (required), shelf: string (required), remark: string (optional)"


def test_readiness_of_models_and_versions(client: Any) -> None:
    assert client.is_model_ready("fridge")
    assert client.is_model_ready("objects", "1")
    assert not client.is_model_ready("fridge", "2")
    assert not client.is_model_ready("nothing")
    assert client.get_model_metadata("fridge", "1")["name"] == "fridge"


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize("in_binary", [True, False])
@pytest.mark.parametrize("out_binary", [True, False])
def test_images_are_scored(site: ProtocolSite, client: Any, in_binary: bool, out_binary: bool, version: str) -> None:
    sent = [JPEG, PNG] if in_binary else [base64.b64encode(data).decode() for data in (JPEG, PNG)]
    names = ("predictions", "probs", "label")
    result = client.infer(
        "fridge",
        [tensor(sent, binary=in_binary)],
        model_version=version,
        request_id="mine-17",
        outputs=[output(name, binary_data=out_binary) for name in names],
    )
    reply = result.get_response()
    assert (reply["model_name"], reply["model_version"], reply["id"]) == ("fridge", "1", "mine-17")
    assert tuple(output["name"] for output in reply["outputs"]) == names, "in the order asked for"
    expected = site.post("/score", {"input_data": [TEXT, base64.b64encode(PNG).decode()]}).json()
    found = [json.loads(text) for text in result.as_numpy("predictions")]
    assert [row["labels"] for row in found] == [row["labels"] for row in expected]
    probs = result.as_numpy("probs")
    assert (probs.shape, probs.dtype) == ((2, 4), np.float32)
    assert np.array_equal(probs, np.array([row["probs"] for row in found], np.float32))
    # whether the two share a batch decides how they round
    np.testing.assert_allclose(probs, [row["probs"] for row in expected], rtol=0, atol=1e-6)
    labels = [label.decode() if out_binary else label for label in result.as_numpy("label")]
    assert labels == [LABELS[int(best)] for best in probs.argmax(1)]


def test_without_outputs_a_classifier_gives_numbers_and_the_best_label(client: Any) -> None:
    reply = client.infer("fridge", [tensor([JPEG])]).get_response()
    assert [output["name"] for output in reply["outputs"]] == ["probs", "label"]
    assert "id" not in reply
    reply = client.infer("objects", [tensor([JPEG])]).get_response()
    assert [output["name"] for output in reply["outputs"]] == ["predictions"]


def test_base64_may_be_sent_as_binary_data_too(site: ProtocolSite, client: Any) -> None:
    result = client.infer("fridge", [tensor([TEXT.encode()])], outputs=[output("predictions")])
    assert json.loads(result.as_numpy("predictions")[0]) == site.prediction()


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("count", [None, 1, 2])
def test_pixels_are_scored_as_the_image_that_they_are_of(
    site: ProtocolSite, client: Any, binary: bool, count: int | None
) -> None:
    with Image.open(io.BytesIO(PNG)) as image:
        pixels = np.asarray(image.convert("RGB").resize((40, 50)))
    sent = pixels if count is None else np.stack([pixels] * count)
    result = client.infer("fridge", [tensor(sent, "UINT8", binary=binary)], outputs=[output("predictions")])
    rows = [json.loads(text) for text in result.as_numpy("predictions")]
    text = base64.b64encode(encoded(pixels, "PNG")).decode()
    assert rows == site.post("/score", {"input_data": [text] * (count or 1)}).json()


@pytest.mark.parametrize("binary", [True, False])
def test_the_highest_labels_by_the_extension_for_classification(site: ProtocolSite, client: Any, binary: bool) -> None:
    result = client.infer("fridge", [tensor([JPEG])], outputs=[output("probs", binary_data=binary, class_count=2)])
    found = result.as_numpy("probs")
    assert found.shape == (1, 2)
    probs = site.prediction()["probs"]
    for text, index in zip(found[0], np.argsort(probs)[::-1], strict=False):
        prob, number, label = (text.decode() if binary else text).split(":")
        assert (int(number), label) == (index, LABELS[index])
        assert math.isclose(float(prob), probs[index], abs_tol=1e-6)
    assert client.infer("fridge", [tensor([JPEG])], outputs=[output("probs", class_count=9)]).as_numpy(
        "probs"
    ).shape == (1, 4)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_compressed_request_is_scored(site: ProtocolSite, client: Any, binary: bool, algorithm: str) -> None:
    sent = tensor([JPEG] if binary else [TEXT], binary=binary)
    result = client.infer("fridge", [sent], outputs=[output("predictions")], request_compression_algorithm=algorithm)
    assert json.loads(result.as_numpy("predictions")[0]) == site.prediction()


def test_parameters_of_a_request_ask_why(site: ProtocolSite, client: Any) -> None:
    parameters = {"xai_algorithm": "gradcam", "target": "can", "attributions": True, "captions": False}
    result = client.infer("fridge", [tensor([JPEG])], parameters=parameters)
    row = json.loads(result.as_numpy("predictions")[0])
    (expected,) = site.score({"image_base64": TEXT, "model_explainability": True, "xai_parameters": parameters})
    assert row == expected
    assert row["explanations"][0]["label"] == "can"
    both = client.infer(
        "fridge",
        [tensor([JPEG])],
        parameters={"xai_parameters": json.dumps(parameters)},
        outputs=[output("probs"), output("predictions", binary_data=False)],
    )
    assert json.loads(both.as_numpy("predictions")[0]) == row
    assert np.array_equal(both.as_numpy("probs")[0], np.array(row["probs"], np.float32))


def test_what_triton_knows_beside_is_passed_over(client: Any) -> None:
    assert (
        client.infer("fridge", [tensor([JPEG])], priority=1, timeout=10**6, sequence_id=3).as_numpy("probs") is not None
    )
    assert client.async_infer("fridge", [tensor([JPEG])]).get_result().as_numpy("label").shape == (1,)


def shared_memory() -> Any:
    sent = triton.InferInput("image", [1], "BYTES")
    sent.set_shared_memory("region", 100)
    return sent


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown model": ({"model_name": "frige"}, 404, "Did you mean 'fridge'?"),
    "unknown version": ({"model_version": "7"}, 404, "has the version 1, not '7'"),
    "unknown output": ({"outputs": [output("scores")]}, 400, "Known: probs, label, predictions"),
    "an output of classifiers": ({"model_name": "objects", "outputs": [output("probs")]}, 400, "Known: predictions"),
    "an output twice": ({"outputs": [output("label"), output("label")]}, 400, "twice"),
    "classes of labels": ({"outputs": [output("label", class_count=2)]}, 400, "'probs' only"),
    "two inputs": ({"inputs": [tensor([JPEG]), tensor([JPEG])]}, 400, "not a list of one tensor"),
    "floats": ({"inputs": [tensor(np.zeros((1, 8, 8, 3), np.float32), "FP32")]}, 400, "datatype 'FP32'"),
    "channels first": ({"inputs": [tensor(np.zeros((1, 3, 8, 8), np.uint8), "UINT8")]}, 400, "[N, H, W, 3]"),
    "no pixels": ({"inputs": [tensor(np.zeros((1, 0, 8, 3), np.uint8), "UINT8")]}, 400, "none of them 0"),
    "three sides of texts": ({"inputs": [tensor([[[JPEG]]])]}, 400, "expected [N] or [N, 1]"),
    "no picture": ({"inputs": [tensor([b"hello there"])]}, 422, "not a JPEG"),
    "no bytes": ({"inputs": [tensor([JPEG, b""])]}, 422, "Position 1: The picture has no bytes"),
    "half a picture": ({"inputs": [tensor([JPEG[: len(JPEG) // 2]])]}, 422, "damaged or incomplete"),
    "too many": ({"inputs": [tensor([JPEG] * 7)]}, 413, "up to 6"),
    "large": ({"inputs": [tensor([b"x" * MOST_BYTES])]}, 413, f"up to {MOST_BYTES}"),
    "compressed": ({"headers": {"content-encoding": "br"}}, 415, "compressed by 'br'"),
    "shared memory": ({"inputs": [shared_memory()]}, 400, "`data` is a NoneType"),
    "unknown algorithm": ({"parameters": {"xai_algorithm": "xria"}}, 422, "Did you mean 'xrai'?"),
    "unknown target": ({"parameters": {"target": "fridge"}}, 422, "target"),
    "parameters that are no json": ({"parameters": {"xai_parameters": "{"}}, 400, "no JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_errors_come_in_the_form_of_the_protocol(client: Any, case: str) -> None:
    changed, status, words = REFUSED[case]
    arguments: dict[str, Any] = {"model_name": "fridge", "inputs": [tensor([JPEG])]} | changed
    with pytest.raises(InferenceServerException) as caught:
        client.infer(**arguments)
    assert caught.value.status() == str(status)
    assert words in caught.value.message()
    assert client.infer("fridge", [tensor([JPEG])]).as_numpy("probs").shape == (1, 4), "and it goes on"


GOOD = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
HEAD = json.dumps(
    {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 9}}]}
)
MALFORMED: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "no body": (b"", {}, 400, "empty"),
    "half a json": (b'{"inputs"', {}, 400, "decoded as JSON"),
    "a list": ([], {}, 400, "is a list"),
    "no inputs": ({}, {}, 400, "`inputs` is not a list"),
    "another name": ({"inputs": [GOOD | {"name": "picture"}]}, {}, 400, "no input 'picture'"),
    "no shape": ({"inputs": [GOOD | {"shape": None}]}, {}, 400, "`shape` is None"),
    "a negative shape": ({"inputs": [GOOD | {"shape": [-1]}]}, {}, 400, "`shape` is [-1]"),
    "a shape of one half": ({"inputs": [GOOD | {"shape": [0.5]}]}, {}, 400, "`shape` is [0.5]"),
    "another count": ({"inputs": [GOOD | {"shape": [2]}]}, {}, 400, "has 1 elements, but its shape is [2]"),
    "none at all": ({"inputs": [GOOD | {"shape": [0], "data": []}]}, {}, 400, "has 0 elements"),
    "a text for data": ({"inputs": [GOOD | {"data": TEXT}]}, {}, 400, "`data` is a str"),
    "too few pixels": ({"inputs": [GOOD | {"datatype": "UINT8", "shape": [1, 1, 3], "data": [1]}]}, {}, 400, "has 3"),
    "a large pixel": ({"inputs": [GOOD | {"datatype": "UINT8", "shape": [1, 1, 3], "data": [0, 256]}]}, {}, 400, "255"),
    "deep lists": ({"inputs": [GOOD | {"data": [[[[[[1]]]]]]}]}, {}, 422, "The picture is a list"),
    "a number for an id": ({"inputs": [GOOD], "id": 7}, {}, 400, "`id` is a int"),
    "outputs by name": ({"inputs": [GOOD], "outputs": ["probs"]}, {}, 400, "not a list of tensors"),
    "parameters in a list": ({"inputs": [GOOD], "parameters": [1]}, {}, 400, "`parameters` is a list"),
    "half of the binary data": (HEAD.encode() + b"\0" * 8, {LENGTH: str(len(HEAD))}, 400, "8 bytes follow"),
    "an element past the end": (HEAD.encode() + b"\xff" * 9, {LENGTH: str(len(HEAD))}, 400, "of 4294967295"),
    "a head longer than the body": ({"inputs": [GOOD]}, {LENGTH: "1000000"}, 400, "but the body has"),
    "a head of no length": ({"inputs": [GOOD]}, {LENGTH: "-1"}, 400, "'-1'"),
    "a head of many digits": ({"inputs": [GOOD]}, {LENGTH: "9" * 5000}, 400, "the body has"),
    "xml": (b"<a/>", {"content-type": "application/xml"}, 415, "application/json or application/octet-stream"),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_not_of_the_protocol_is_refused_in_its_form(site: ProtocolSite, case: str) -> None:
    body, headers, status, words = MALFORMED[case]
    reply = site.post(INFER, body, headers.get("content-type", "application/json"), **headers)
    assert reply.status_code == status, reply.text
    assert list(reply.json()) == ["error"]
    assert words in reply.json()["error"]
    assert site.post(INFER, {"inputs": [GOOD]}).status_code == 200, "and it goes on"


@pytest.mark.parametrize("media_type", [None, "application/x-www-form-urlencoded", "application/octet-stream"])
def test_clients_that_name_no_content_type_are_understood(site: ProtocolSite, media_type: str | None) -> None:
    assert site.post(INFER, json.dumps({"inputs": [GOOD]}).encode(), media_type).status_code == 200


def test_paths_are_names_and_not_patterns(site: ProtocolSite) -> None:
    reply = site.post("/v2/models/%7Bmodel%7D/infer", {"inputs": [GOOD]})
    assert (reply.status_code, list(reply.json())) == (404, ["error"])
    assert "no model '{model}'" in reply.json()["error"]
    assert site.get("/v2/no/such").json().keys() == {"error"}


async def parsed(body: bytes) -> Any:
    return await PROTOCOL.parse(RequestBody(body, Headers({})))


def test_numbers_never_stand_for_an_image_that_could_not_be_scored() -> None:
    """With `--bad-images report` an error is in the place of its image, where a tensor can hold one."""
    facts = ModelFacts("resnet18", "multiclass", ("can", "carton"))
    fine, bad = b'{"probs": [0.25, 0.75], "labels": ["can", "carton"]}', Failure("image_format", "It is no picture.")

    def reply(*outputs: str) -> Any:
        head = {
            "inputs": [GOOD | {"shape": [2], "data": [TEXT, TEXT]}],
            "outputs": [{"name": name} for name in outputs],
        }
        content = asyncio.run(parsed(json.dumps(head).encode()))
        request = ProtocolRequest(content, path_parameters={"model": "fridge"}, model=facts)
        result = ScoreResult([fine, bad], "id", facts, None, PROTOCOL.read(request).note)
        return json.loads(PROTOCOL.write(result).body)

    (output,) = reply("predictions")["outputs"]
    assert [set(json.loads(row)) for row in output["data"]] == [{"probs", "labels"}, {"error"}]
    for outputs in ((), ("probs",), ("label", "predictions")):
        with pytest.raises(ServiceError, match="Picture 1 cannot be scored") as caught:
            reply(*outputs)
        assert caught.value.status == 422
