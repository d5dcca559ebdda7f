"""The Open Inference Protocol over gRPC with clients that others wrote: tritonclient, grpcio and grpcio-status."""

import asyncio
import base64
import io
import json
import os
import queue
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from PIL import Image
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from server.api.rpc.messages import INFERENCE, Messages
from server.api.rpc.triton import TRITON
from tests.support.grpc_calls import METHODS, channel_to, infer, infer_request, trailing
from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.protocol_site import JPEG, MOST_BYTES, TEXT, ProtocolSite, assert_same_scores

LABELS = ["can", "carton", "milk_bottle", "water_bottle"]
PNG = encoded(painted(2, 90, 130), "PNG")
CODES = grpc.StatusCode


@pytest.fixture(scope="module")
def client(site: ProtocolSite) -> Iterator[Any]:
    with triton.InferenceServerClient(site.server.grpc_address) as client:
        yield client


@pytest.fixture(scope="module")
def channel(site: ProtocolSite) -> Iterator[grpc.Channel]:
    with channel_to(site.server.grpc_address) as channel:
        yield channel


def tensor(values: Any, datatype: str = "BYTES") -> Any:
    array = np.array(values, dtype=object) if datatype == "BYTES" else values
    sent = triton.InferInput("image", list(array.shape), datatype)
    sent.set_data_from_numpy(array)
    return sent


def predictions(result: Any) -> list[Any]:
    return [json.loads(text) for text in result.as_numpy("predictions")]


PREDICTIONS = [triton.InferRequestedOutput("predictions")]


@pytest.mark.parametrize(
    ("messages", "name"), [*((INFERENCE, name) for name in INFERENCE), *((TRITON, name) for name in TRITON)]
)
def test_messages_are_those_of_other_programs(messages: Messages, name: str) -> None:
    def fields(descriptor: Any) -> dict[str, Any]:
        return {
            field.name: (
                field.number,
                field.TYPE_INT32 if field.type == field.TYPE_ENUM else field.type,  # which travel the same way
                field.label,
                field.message_type.name if field.message_type else "",
                field.containing_oneof.name if field.containing_oneof else "",
            )
            for field in descriptor.fields
        }

    ours = fields(messages[name].DESCRIPTOR)
    theirs = fields(service_pb2.DESCRIPTOR.pool.FindMessageTypeByName(f"inference.{name}"))
    if name == "ModelMetadataResponse":  # Triton's has no properties, which are of the protocol
        assert ours.pop("properties")[0] == 6
    if messages is TRITON:  # has the fields alone that have a value here
        theirs = {field: theirs[field] for field in ours}
        ours.pop("dynamic_batching", None), theirs.pop("dynamic_batching", None)
    assert ours == theirs


def test_the_server_and_its_models_describe_themselves(site: ProtocolSite, client: Any, channel: grpc.Channel) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("fridge")
    assert client.is_model_ready("fridge", "1")
    server = client.get_server_metadata(as_json=True)
    assert server == site.get("/v2").json()
    expected = site.get("/v2/models/fridge").json()
    described = client.get_model_metadata("fridge", as_json=True)
    for tensors in (described["inputs"], described["outputs"]):
        for each in tensors:
            each["shape"] = [int(side) for side in each["shape"]]  # protobuf's JSON has them as texts
    parameters = expected.pop("parameters")
    assert described == expected
    call = channel.unary_unary(METHODS + "ModelMetadata", None, INFERENCE["ModelMetadataResponse"].FromString)
    properties = call(service_pb2.ModelMetadataRequest(name="fridge").SerializeToString()).properties
    assert json.loads(properties["labels"]) == parameters["labels"] == LABELS
    assert properties["signature"] == parameters["signature"]
    for ask in (client.is_model_ready, client.get_model_metadata):
        with pytest.raises(InferenceServerException, match="Did you mean 'fridge'"):
            ask("frige")


def test_what_the_tools_of_triton_ask(site: ProtocolSite, client: Any) -> None:
    """The same as over HTTP, where 64 bits are numbers and not texts."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if each != []}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    for name in site.names:
        config = plain(client.get_model_config(name, as_json=True)["config"])
        expected = plain(site.get(f"/v2/models/{name}/config").json())
        assert {key: config[key] for key in expected if key in config} == {
            key: value for key, value in expected.items() if key in config
        }
        assert {"name", "platform", "backend", "max_batch_size", "input", "output"} <= config.keys()
    client.infer("fridge", [tensor([JPEG])])
    (stats,) = client.get_inference_statistics("fridge", as_json=True)["model_stats"]
    (expected,) = site.get("/v2/models/fridge/stats").json()["model_stats"]
    assert plain(stats["inference_count"]) == expected["inference_count"] > 0
    assert plain(stats["inference_stats"]["success"]) == expected["inference_stats"]["success"]
    everyone = client.get_inference_statistics(as_json=True)["model_stats"]
    assert {each["name"] for each in everyone} == set(site.names)
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {(each["name"], each["version"], each["state"]) for each in index} == {
        (name, "1", "READY") for name in site.names
    }
    for ask in (client.get_model_config, client.get_inference_statistics):
        with pytest.raises(InferenceServerException, match="Did you mean 'fridge'"):
            ask("frige")


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_images_get_the_scores_that_they_get_elsewhere(site: ProtocolSite, client: Any, shape: list[int]) -> None:
    images = np.array([JPEG, PNG], dtype=object).reshape(shape)
    names = ("probs", "label", "predictions")
    result = client.infer(
        "fridge", [tensor(images)], request_id="mine-17", outputs=[triton.InferRequestedOutput(name) for name in names]
    )
    reply = result.get_response()
    assert (reply.model_name, reply.model_version, reply.id) == ("fridge", "1", "mine-17")
    assert tuple(output.name for output in reply.outputs) == names
    expected = site.post("/score", {"input_data": [TEXT, base64.b64encode(PNG).decode()]}).json()
    assert_same_scores(predictions(result), expected)
    probs = result.as_numpy("probs")
    assert (probs.shape, probs.dtype) == ((2, 4), np.float32)
    assert [label.decode() for label in result.as_numpy("label")] == [LABELS[int(best)] for best in probs.argmax(1)]
    assert [output.name for output in client.infer("fridge", [tensor([JPEG])]).get_response().outputs] == [
        "probs",
        "label",
    ]


@pytest.mark.parametrize("count", [None, 1, 3])
def test_pixels_are_scored_as_the_image_that_they_are_of(site: ProtocolSite, client: Any, count: int | None) -> None:
    with Image.open(io.BytesIO(PNG)) as image:
        pixels = np.asarray(image.convert("RGB").resize((40, 50)))
    sent = pixels if count is None else np.stack([pixels] * count)
    found = predictions(client.infer("fridge", [tensor(sent, "UINT8")], outputs=PREDICTIONS))
    expected = site.prediction(encoded(pixels, "PNG"))
    assert_same_scores(found, [expected] * (count or 1))


def test_contents_are_answered_by_contents(site: ProtocolSite, channel: grpc.Channel) -> None:
    """Where the data of a request are typed, those of the reply are, too; base64 is read like the bytes themselves."""
    request = service_pb2.ModelInferRequest(model_name="fridge")
    sent = request.inputs.add(name="image", datatype="BYTES", shape=[3])
    sent.contents.bytes_contents.extend([JPEG, TEXT.encode(), PNG])
    for name in ("probs", "label", "predictions"):
        request.outputs.add(name=name)
    reply = infer(channel)(request)
    assert not reply.raw_output_contents
    probs, labels, rows = reply.outputs
    assert list(probs.shape) == [3, 4]
    assert_same_scores(
        [json.loads(row) for row in rows.contents.bytes_contents],
        [site.prediction(), site.prediction(), site.prediction(PNG)],
    )
    best = np.array(probs.contents.fp32_contents).reshape(3, 4).argmax(1)
    assert [label.decode() for label in labels.contents.bytes_contents] == [LABELS[int(index)] for index in best]
    pixels = np.asarray(painted(3, 40, 50))
    request = service_pb2.ModelInferRequest(model_name="fridge")
    sent = request.inputs.add(name="image", datatype="UINT8", shape=[1, *pixels.shape])
    sent.contents.uint_contents.extend(pixels.flatten().tolist())
    request.outputs.add(name="predictions")
    (rows,) = infer(channel)(request).outputs
    assert_same_scores([json.loads(rows.contents.bytes_contents[0])], [site.prediction(encoded(pixels, "PNG"))])


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_messages_may_be_compressed(site: ProtocolSite, client: Any, algorithm: str | None) -> None:
    result = client.infer("fridge", [tensor([JPEG])], outputs=PREDICTIONS, compression_algorithm=algorithm)
    assert_same_scores(predictions(result), [site.prediction()])


def test_parameters_of_a_request_ask_why(site: ProtocolSite, client: Any) -> None:
    parameters = {"xai_algorithm": "gradcam", "target": "can", "attributions": True, "captions": False}
    result = client.infer("fridge", [tensor([JPEG])], parameters=parameters)
    (expected,) = site.score({"image_base64": TEXT, "model_explainability": True, "xai_parameters": parameters})
    assert predictions(result) == [expected]
    classes = client.infer("fridge", [tensor([JPEG])], outputs=[triton.InferRequestedOutput("probs", class_count=2)])
    assert classes.as_numpy("probs").shape == (1, 2)


def test_callbacks_and_asyncio_work_too(site: ProtocolSite, client: Any) -> None:
    async def ask() -> list[Any]:
        async with triton_aio.InferenceServerClient(site.server.grpc_address) as other:
            return await asyncio.gather(*(other.infer("fridge", [tensor([JPEG])]) for _ in range(8)))

    assert {result.as_numpy("label")[0] for result in asyncio.run(ask())} == {
        client.infer("fridge", [tensor([JPEG])]).as_numpy("label")[0]
    }
    found: queue.Queue[Any] = queue.Queue()
    client.async_infer("fridge", [tensor([JPEG])], lambda result, error: found.put((result, error)))
    result, error = found.get(timeout=60)
    assert error is None
    assert result.as_numpy("label").shape == (1,)


@pytest.mark.skipif(
    "KSERVE_PYTHON" not in os.environ,
    reason="KServe needs other packages: KSERVE_PYTHON names the Python of an environment with kserve==0.21.0",
)
def test_the_client_of_kserve(site: ProtocolSite, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(JPEG)
    command = [os.environ["KSERVE_PYTHON"], str(ROOT / "tests/support/servers/kserve_client.py")]
    done = subprocess.run(
        [*command, site.server.grpc_address, "fridge", str(tmp_path / "image")],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        check=True,
    )
    found, expected = json.loads(done.stdout), site.prediction()
    assert (found["live"], found["ready"], found["model ready"]) == (True, True, True)
    for way in ("typed", "raw"):
        assert found[way]["probs"][0] == pytest.approx(expected["probs"], rel=0, abs=1e-6)
        assert found[way]["label"] == [LABELS[int(np.argmax(expected["probs"]))]]
    code, text = found["unknown"]
    assert code == "NOT_FOUND"
    assert "Did you mean 'fridge'" in text


def test_ids_and_stages_come_after_the_reply(channel: grpc.Channel, site: ProtocolSite) -> None:
    _, call = infer(channel).with_call(infer_request(JPEG), metadata=[("x-request-id", "mine-18")])
    found = trailing(call)
    assert found["x-request-id"] == "mine-18"
    assert found["azureml-model-deployment"] == "fridge"
    assert {part.partition(";")[0] for part in found["server-timing"].split(", ")} >= {"read", "queue", "device"}
    site.server.wait_for(lambda: "mine-18" in site.server.log())
    (line,) = [line for line in site.server.log().splitlines() if "request_id=mine-18" in line]
    size = len(infer_request(JPEG).SerializeToString())
    for words in ("status=200", f"route={METHODS}ModelInfer", "deployment=fridge", "images=1", "device_ms="):
        assert words in line
    for words in ("client=127.0.0.1 ", 'agent="grpc-python/', f"bytes={size} "):
        assert words in line
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(infer_request(JPEG), metadata=[("x-request-id", "x" * 101)])
    assert caught.value.code() is CODES.INVALID_ARGUMENT


def test_calls_are_counted_like_requests(channel: grpc.Channel, site: ProtocolSite) -> None:
    labels = {"route": METHODS + "ModelInfer", "deployment": "fridge"}

    def counted(code: str) -> float:
        return site.server.metric("sightglass_requests_total", code=code, **labels)

    before = counted("200"), counted("422")
    infer(channel)(infer_request(JPEG))
    with pytest.raises(grpc.RpcError):
        infer(channel)(infer_request(b"hello"))
    assert (counted("200"), counted("422")) == (before[0] + 1, before[1] + 1)


def with_input(raw: bytes | None = None, **fields: Any) -> Any:
    """Return a request whose one input has these fields, and perhaps raw data."""
    request = service_pb2.ModelInferRequest(model_name="fridge")
    contents = fields.pop("contents", None)
    sent = request.inputs.add(**{"name": "image", "datatype": "BYTES", "shape": [1]} | fields)
    for name, values in (contents or {}).items():
        getattr(sent.contents, name).extend(values)
    if raw is not None:
        request.raw_input_contents.append(raw)
    return request


def changed(request: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(request, name).extend(value)
        else:
            setattr(request, name, value)
    return request


def shared_memory() -> Any:
    request = with_input()
    request.inputs[0].parameters["shared_memory_region"].string_param = "region"
    return request


ELEMENT = len(JPEG).to_bytes(4, "little") + JPEG
OUTPUT = service_pb2.ModelInferRequest.InferRequestedOutputTensor
REFUSED: dict[str, tuple[Any, grpc.StatusCode, str]] = {
    "unknown model": (infer_request(JPEG, model="frige"), CODES.NOT_FOUND, "Did you mean 'fridge'?"),
    "no model": (infer_request(JPEG, model=""), CODES.NOT_FOUND, "no model ''"),
    "unknown version": (infer_request(JPEG, model_version="7"), CODES.NOT_FOUND, "has the version 1, not '7'"),
    "no input": (service_pb2.ModelInferRequest(model_name="fridge"), CODES.INVALID_ARGUMENT, "not a list of one"),
    "two inputs": (changed(with_input(ELEMENT), inputs=with_input().inputs[:], raw_input_contents=[ELEMENT]),
                   CODES.INVALID_ARGUMENT, "not a list of one"),
    "raw data of two": (changed(with_input(ELEMENT), raw_input_contents=[ELEMENT]), CODES.INVALID_ARGUMENT, "2 `raw_"),
    "both kinds of data": (with_input(ELEMENT, contents={"bytes_contents": [JPEG]}), CODES.INVALID_ARGUMENT, "in one"),
    "no data": (with_input(), CODES.INVALID_ARGUMENT, "no data"),
    "empty contents": (with_input(contents={"bytes_contents": []}), CODES.INVALID_ARGUMENT, "has 0 elements"),
    "contents of floats": (with_input(contents={"fp32_contents": [1.0]}), CODES.INVALID_ARGUMENT, "`bytes_contents`"),
    "shared memory": (shared_memory(), CODES.INVALID_ARGUMENT, "no data"),
    "another name": (with_input(ELEMENT, name="picture"), CODES.INVALID_ARGUMENT, "no input 'picture'"),
    "no shape": (with_input(ELEMENT, shape=[]), CODES.INVALID_ARGUMENT, "expected [N] or [N, 1]"),
    "a negative shape": (with_input(ELEMENT, shape=[-1]), CODES.INVALID_ARGUMENT, "`shape` is [-1]"),
    "three sides": (with_input(ELEMENT, shape=[1, 1, 1]), CODES.INVALID_ARGUMENT, "expected [N] or [N, 1]"),
    "another count": (with_input(ELEMENT, shape=[2]), CODES.INVALID_ARGUMENT, "has 1 elements, but its shape is [2]"),
    "more than the shape": (with_input(ELEMENT * 2), CODES.INVALID_ARGUMENT, "more elements than its shape"),
    "none at all": (with_input(b"", shape=[0]), CODES.INVALID_ARGUMENT, "has 0 elements"),
    "an element past the end": (with_input(b"\xff" * 9), CODES.INVALID_ARGUMENT, "of 4294967295 bytes"),
    "a length cut short": (with_input(b"\xff"), CODES.INVALID_ARGUMENT, "begins 1 before the end"),
    "floats": (with_input(b"\0" * 4, datatype="FP32"), CODES.INVALID_ARGUMENT, "datatype 'FP32'"),
    "no datatype": (with_input(b"\0" * 4, datatype=""), CODES.INVALID_ARGUMENT, "datatype ''"),
    "channels first": (with_input(b"\0" * 192, datatype="UINT8", shape=[1, 3, 8, 8]), CODES.INVALID_ARGUMENT, "W, 3]"),
    "too few pixels": (with_input(b"\0" * 9, datatype="UINT8", shape=[2, 2, 3]), CODES.INVALID_ARGUMENT, "has 9"),
    "exabytes by the shape": (with_input(b"", datatype="UINT8", shape=[2**40, 2**20, 3]), CODES.INVALID_ARGUMENT,
                              "has 0"),
    "a large pixel": (with_input(datatype="UINT8", shape=[1, 1, 3], contents={"uint_contents": [0, 256, 1]}),
                      CODES.INVALID_ARGUMENT, "from 0 to 255"),
    "pixels as ints": (with_input(datatype="UINT8", shape=[1, 1, 3], contents={"int_contents": [0, 2, 1]}),
                       CODES.INVALID_ARGUMENT, "`uint_contents`"),
    "no picture": (infer_request(b"hello there"), CODES.INVALID_ARGUMENT, "not a JPEG"),
    "no bytes": (infer_request(JPEG, b""), CODES.INVALID_ARGUMENT, "Position 1: The picture has no bytes"),
    "half a picture": (infer_request(JPEG[: len(JPEG) // 2]), CODES.INVALID_ARGUMENT, "damaged or incomplete"),
    "too many": (infer_request(*[JPEG] * 7), CODES.INVALID_ARGUMENT, "up to 6"),
    "too many by the shape alone": (with_input(ELEMENT, shape=[2**40]), CODES.INVALID_ARGUMENT, "up to 6"),
    "an unknown output": (changed(infer_request(JPEG), outputs=[OUTPUT(name="scores")]), CODES.INVALID_ARGUMENT,
                          "Known: probs, label, predictions"),
    "an output twice": (changed(infer_request(JPEG), outputs=[OUTPUT(name="label")] * 2), CODES.INVALID_ARGUMENT,
                        "twice"),
    "a long id": (infer_request(JPEG, id="x" * 1001), CODES.INVALID_ARGUMENT, "1001 characters"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_of_the_protocol_is_refused(channel: grpc.Channel, case: str) -> None:
    request, code, words = REFUSED[case]
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(request)
    assert caught.value.code() is code, caught.value.details()
    assert words in caught.value.details()
    assert infer(channel)(infer_request(JPEG)).model_name == "fridge", "and it goes on"


def test_bytes_that_are_no_message_are_refused(site: ProtocolSite, channel: grpc.Channel) -> None:
    """Requests that are cut short, or changed in some bytes, never are an error of the server."""
    call = channel.unary_unary(METHODS + "ModelInfer")
    whole = infer_request(JPEG, id="one").SerializeToString()
    chance = random.Random(0)
    sent = [b"", b"\xff" * 20, b"\x1f\x8b" + whole, *(whole[: chance.randrange(len(whole))] for _ in range(20))]
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(60)] = chance.randrange(256)
        sent.append(bytes(damaged))
    codes = set()
    for message in sent:
        try:
            call(message, timeout=60)
        except grpc.RpcError as error:
            codes.add(error.code())
    assert codes <= {CODES.INVALID_ARGUMENT, CODES.NOT_FOUND}
    assert CODES.INVALID_ARGUMENT in codes
    with pytest.raises(grpc.RpcError, match="not a ModelInferRequest"):
        call(b"\xff" * 20)
    assert infer(channel)(infer_request(JPEG)).model_name == "fridge"


def test_errors_tell_programs_what_they_are(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(infer_request(JPEG, b"hello", b""))
    assert trailing(caught.value)["error-code"] == "image_invalid"
    status = rpc_status.from_call(caught.value)
    assert (status.code, status.message) == (CODES.INVALID_ARGUMENT.value[0], caught.value.details())
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("image_invalid", "sightglass")
    assert status.details[1].Unpack(bad)
    found = [(each.field, each.reason) for each in bad.field_violations]
    assert found == [("inputs[0][1]", "image_format"), ("inputs[0][2]", "image_empty")]


@pytest.mark.parametrize("name", ["ß" * 5000, "模型" * 3000, "\n" * 5000, "\U0001f600" * 2000], ids=len)
def test_long_texts_of_a_client_are_quoted_within_the_limits_of_metadata(channel: grpc.Channel, name: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(infer_request(JPEG, model=name))
    assert caught.value.code() is CODES.NOT_FOUND
    assert "There is no model" in caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(with_input(ELEMENT, name=name))
    assert caught.value.code() is CODES.INVALID_ARGUMENT
    assert trailing(caught.value)["error-code"] == "input_invalid"


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["plain", "bomb"])
def test_messages_have_a_largest_size(channel: grpc.Channel, site: ProtocolSite, compression: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(infer_request(b"\0" * 20 * MOST_BYTES), compression=compression)
    assert caught.value.code() is CODES.RESOURCE_EXHAUSTED
    assert "larger than max" in caught.value.details()
    site.server.wait_for(lambda: "none, or more than --max-body-bytes" in site.server.log())
    assert infer(channel)(infer_request(JPEG)).model_name == "fridge"


def test_unknown_methods_are_named_and_counted_as_one(channel: grpc.Channel, site: ProtocolSite) -> None:
    before = site.server.metric("sightglass_requests_total", route="none", code="405")
    for method in (METHODS + "ModelInfers", "/other.Service/Method", "/" + "x" * 500):
        with pytest.raises(grpc.RpcError, match="There is no method") as caught:
            channel.unary_unary(method)(b"")
        assert caught.value.code() is CODES.UNIMPLEMENTED
    assert site.server.metric("sightglass_requests_total", route="none", code="405") == before + 3
    assert "path=/other.Service/Method" in site.server.log()


def test_health_checks_of_grpc(channel: grpc.Channel) -> None:
    """The messages are written by hand: field 1 is the service, and in the reply the status, of which 1 is SERVING."""
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    for service in (b"", b"inference.GRPCInferenceService", b"live"):
        assert check(b"\x0a" + bytes([len(service)]) + service if service else b"") == b"\x08\x01"
    with pytest.raises(grpc.RpcError, match="no health of 'other'") as caught:
        check(b"\x0a\x05other")
    assert caught.value.code() is CODES.NOT_FOUND
    with pytest.raises(grpc.RpcError) as caught:
        check(b"\xff")
    assert caught.value.code() is CODES.INVALID_ARGUMENT
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
    with pytest.raises(grpc.RpcError, match="not a HealthCheckRequest") as caught:
        next(watch(b"\xff"))
    assert caught.value.code() is CODES.INVALID_ARGUMENT
    for service, status in ((b"", b"\x08\x01"), (b"\x0a\x05other", b"\x08\x03")):
        changes = watch(service)
        assert next(changes) == status
        changes.cancel()
