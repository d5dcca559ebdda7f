"""Targets: everything that parses what strangers send, with samples of it.

`parse` of a target handles the errors that its parser declares. Any other error that it raises is a failure.
"""

import base64
import io
import json
import struct
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from PIL import Image
from starlette.datastructures import Headers

from benchmarks.fuzz.mutation import Sample
from explain.request.parameters import ExplanationParameters
from models.errors import ImageError
from models.images.decoding import ImageLimits, decode
from server.api.routes.scoring import parse_body
from server.codecs.base64_image import decode_base64
from server.codecs.body import RequestBody, parsed_object
from server.errors import ServiceError
from server.inference.scoring import ImageInput
from server.ipc.frame import Frame, FrameError, FrameKind, FrameReader
from server.ipc.model_facts import ModelFacts
from server.ipc.outcome import Failure
from server.protocol import ProtocolRequest, ScoreResult
from server.protocol_catalog import PROTOCOLS
from tests.support.images import encoded, painted

T = TypeVar("T")

_JSON = "application/json"
_BOUNDARY = "sample"
_LENGTH = "inference-header-content-length"
_FACTS = ModelFacts("resnet18", "multiclass", ("can", "carton"))
_PREDICTION = b'{"probs": [0.25, 0.75], "labels": ["can", "carton"]}'
_LIMITS = ImageLimits(2**20, 100_000)
_MOST = 64  # images
_GROWS_BY = 4  # a body may become so many times its bytes
_PIXELS = painted(1, 24, 18)
_PNG = encoded(_PIXELS[:6, :8], "PNG")
_TEXT = base64.b64encode(_PNG).decode()
_WORDS: Sequence[Any] = (
    "image", "input_data", "columns", "data", "index", "instances", "inputs", "outputs", "predictions", "probs",
    "dataframe_split", "dataframe_records", "params", "parameters", "b64", "image_base64", "shape", "datatype", "BYTES",
    "UINT8", "FP32", "name", "id", "binary_data_size", "binary_data", "binary_data_output", "classification", "label",
    "model_explainability", "xai_parameters", "inference_parameters", "azureml", "xrai",
    *ExplanationParameters.model_fields,
    _TEXT, "data:image/png;base64," + _TEXT, json.dumps({"image_base64": _TEXT}), [_TEXT], {"b64": _TEXT}, [1, 1, 3],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A parser. `parse` takes a body of the Mutator and returns a word for what became of it.

    A parser of a route has its `path`, and `header`, the one whose value is the first line of a body.
    """

    name: str
    samples: Sequence[Sample]
    parse: Callable[[bytes], str]
    words: Sequence[Any] = _WORDS
    path: str = ""
    header: str = ""


def done(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, as the bodies are too small for threads or files."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits for something")


def _read_by(path: str, named: str, data: bytes) -> str:
    """Read a body as a POST to `path` does and write a response; the first line is the value of the header `named`."""
    line, _, content = data.partition(b"\n")
    raw = [(named.encode(), line)] + ([] if named == "content-type" else [(b"content-type", _JSON.encode())])
    headers = Headers(raw=raw)
    protocols = [protocol for protocol in PROTOCOLS if path in protocol.paths]
    body = RequestBody(content, headers)
    if not protocols[0].accepts_media_type(body.media_type):
        return "content_type"
    request = ProtocolRequest(None, path, {"model": "fridge"}, headers, _FACTS, _MOST)
    try:
        protocol, score_request = done(parse_body(protocols, body, request))
        images = score_request.images
        size = sum(len(image.data) for image in images if isinstance(image, ImageInput))
        assert size <= _GROWS_BY * len(content) + 200 * len(images), f"{len(content)} bytes became {size}"
        outcomes = [image if isinstance(image, Failure) else _PREDICTION for image in images]
        written = protocol.write(ScoreResult(outcomes, "id", _FACTS, 1, score_request.note))
    except ServiceError as error:
        assert 400 <= error.status < 500, f"{error.code} has the status {error.status}"
        if (write_error := protocols[0].write_error) is not None:
            json.loads(write_error(error, "id"))
        return error.code
    json.loads(written.body[: int(written.headers.get(_LENGTH, len(written.body)))])
    return "some images bad" if any(isinstance(image, Failure) for image in images) else "read"


def _json(data: bytes) -> str:
    try:
        done(parsed_object(data.partition(b"\n")[2]))
    except ServiceError as error:
        return error.code
    return "read"


def _base64(data: bytes) -> str:
    found = decode_base64(data.partition(b"\n")[2].decode("utf-8", "replace"))
    return found.code if isinstance(found, Failure) else "read"


def _frames(data: bytes) -> str:
    """Feed what should be frames in two pieces, as a socket does."""
    reader, content = FrameReader(), data.partition(b"\n")[2]
    half = len(content) // 2
    try:
        frames = [*reader.feed(content[:half]), *reader.feed(content[half:])]
    except FrameError:
        return "refused"
    assert sum(len(part) for frame in frames for part in frame.parts()) <= 2 * len(content) + 100 * len(frames)
    return f"{min(len(frames), 3)} frames" if frames else "incomplete"


def _image(data: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in engines
        try:
            found = decode(data.partition(b"\n")[2], _LIMITS, exif=True)
        except ImageError as error:
            return error.code
    assert found.mode == "RGB" and found.width * found.height <= _LIMITS.max_pixels
    found.tobytes()
    return "read"


def _cells() -> list[Any]:
    asked = {"xai_algorithm": "gradcam", "n_steps": 8, "target": ["can", 1], "attributions": True}
    cell = {"image_base64": _TEXT, "model_explainability": True, "xai_parameters": asked}
    return [_TEXT, base64.encodebytes(_PNG).decode(), cell, json.dumps(cell)]


def _hosted() -> list[Sample]:
    table = {"columns": ["id", "image"], "index": [0, 1], "data": [[1, cell] for cell in _cells()]}
    return [
        Sample(_JSON, {"input_data": table}),
        Sample(_JSON, {"input_data": _cells(), "inference_parameters": {"box_score_thresh": 0.5}}),
        Sample(_JSON, {"image": _TEXT, "model_explainability": True, "xai_parameters": {"xai_algorithm": "xrai"}}),
        Sample("application/octet-stream", None, _PNG),
        Sample("application/octet-stream", {"image": _TEXT}),
    ]


def _form() -> list[Sample]:
    parts = [f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode() for name in ("a", "b")]
    file = b'; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + _PNG + b"\r\n"
    text = b"\r\n\r\na note\r\n"
    end = f"--{_BOUNDARY}--\r\n".encode()
    line = f"multipart/form-data; boundary={_BOUNDARY}"
    return [
        Sample(line, None, parts[0] + file + end),
        Sample(line + "; charset=utf-8", None, parts[0] + file + parts[1] + text + parts[1] + file + end),
    ]


def _tensor(**more: Any) -> dict[str, Any]:
    return {"name": "image", "shape": [1], "datatype": "BYTES", "data": [_TEXT]} | more


def _open_inference() -> list[Sample]:
    outputs = [{"name": "predictions"}, {"name": "probs", "parameters": {"binary_data": True}}, {"name": "label"}]
    pixels = _tensor(shape=[1, 2, 2, 3], datatype="UINT8", data=_PIXELS[None, :2, :2].tolist())
    why = {"xai_algorithm": "gradcam", "xai_parameters": '{"n_steps": 8}', "model_explainability": True}
    classes = [{"name": "probs", "parameters": {"classification": 2}}]
    return [
        Sample(_JSON, {"id": "1", "inputs": [_tensor()], "outputs": outputs}),
        Sample(_JSON, {"inputs": [_tensor(shape=[2, 1], data=[[_TEXT], [_TEXT]])], "outputs": classes}),
        Sample(_JSON, {"inputs": [pixels], "parameters": why}),
    ]


def _open_inference_binary() -> list[Sample]:
    def sample(tail: bytes, **more: Any) -> Sample:
        tensor = _tensor(parameters={"binary_data_size": len(tail)}, **more)
        del tensor["data"]
        return Sample("LENGTH", {"inputs": [tensor], "parameters": {"binary_data_output": True}}, tail)

    elements = [_PNG, _TEXT.encode()]
    tail = b"".join(struct.pack("<I", len(element)) + element for element in elements)
    return [sample(tail, shape=[2]), sample(_PIXELS.tobytes(), shape=[1, *_PIXELS.shape], datatype="UINT8")]


def _kserve() -> list[Sample]:
    instances = [_TEXT, {"b64": _TEXT}, {"image_bytes": {"b64": _TEXT}}]
    return [
        Sample(_JSON, {"instances": instances}),
        Sample(_JSON, {"inputs": instances, "parameters": {"xai_parameters": {"xai_algorithm": "gradcam"}}}),
    ]


def _mlflow() -> list[Sample]:
    split = {"columns": ["image", 1], "index": [0], "data": [[cell, 1] for cell in _cells()]}
    asked = {"xai_parameters": {"xai_algorithm": "gradcam"}}
    return [
        Sample(_JSON, {"dataframe_split": split, "params": asked}),
        Sample(_JSON, {"dataframe_records": [{"image": cell, "x": 1} for cell in _cells()]}),
        Sample(_JSON, {"instances": [[cell] for cell in _cells()]}),
        Sample(_JSON, {"inputs": {"image": _cells()}, "params": {"n_steps": 8}}),
    ]


def _csv() -> list[Sample]:
    lines = ["image,x", f"{_TEXT},1", '"' + base64.encodebytes(_PNG).decode() + '",2', ""]
    return [
        Sample("text/csv", None, "\n".join(lines).encode()),
        Sample("text/csv; charset=utf-8", None, "\r\n".join(lines).encode("utf-8-sig")),
    ]


def _frame_samples() -> list[Sample]:
    frames = [
        Frame(
            FrameKind.SCORE, 7, {"deadline": 1.5, "explain": {"0": {"n_steps": 8}}, "settings": {}}, [_PNG, b"", _PNG]
        ),
        Frame(
            FrameKind.RESULT, 7, {"failures": {"1": ["image_empty", "none"]}, "stages": {"queue": 0.1}}, [_PREDICTION]
        ),
        Frame(FrameKind.CANCEL, 2**64 - 1),
    ]
    return [Sample(tail=b"".join(part for frame in frames[place:] for part in frame.parts())) for place in range(3)]


def _image_samples() -> list[Sample]:
    rgb = Image.fromarray(_PIXELS)
    exif = Image.Exif()
    exif[274] = 6  # the orientation
    deep = Image.fromarray(_PIXELS[..., 0].astype("uint16") << 8)
    files = [
        *(encoded(rgb, "JPEG", **options) for options in ({}, {"progressive": True}, {"exif": exif})),
        encoded(rgb.convert("CMYK"), "JPEG"),
        encoded(rgb.convert("L"), "JPEG"),
        *(encoded(rgb.convert(mode), "PNG") for mode in ("RGB", "P", "RGBA", "LA", "1")),
        encoded(deep, "PNG"),
        *(encoded(rgb, "WEBP", lossless=lossless) for lossless in (True, False)),
        *(encoded(rgb.convert(mode), "BMP") for mode in ("RGB", "P", "1")),
        _frames_of(rgb, "GIF"),
        _frames_of(rgb, "WEBP"),
        _frames_of(rgb, "PNG"),
        *(encoded(rgb, "TIFF", compression=name) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg")),
        encoded(rgb.convert("1"), "TIFF", compression="group4"),
        encoded(deep, "TIFF"),
        encoded(rgb, "MPO", save_all=True, append_images=[rgb]),
    ]  # fmt: skip
    return [Sample(tail=file) for file in files]


def _frames_of(image: Image.Image, form: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, save_all=True, append_images=[image.rotate(90)], duration=10)
    return stream.getvalue()


def targets() -> Mapping[str, Target]:
    """Return all targets by name."""

    def route(name: str, path: str, samples: Sequence[Sample], named: str = "content-type") -> Target:
        return Target(name, samples, partial(_read_by, path, named), path=path, header=named)

    plain = [Sample(tail=base64.encodebytes(_PNG)), Sample(tail=b"data:image/png;base64," + _TEXT.encode())]
    infer = "/v2/models/{model}/infer"
    found = [
        Target("json", [Sample(document=sample.document) for sample in _hosted() if sample.document], _json),
        route("hosted", "/score", _hosted()),
        route("form", "/score", _form()),
        route("open_inference", infer, _open_inference()),
        route("open_inference_binary", infer, _open_inference_binary(), _LENGTH),
        route("kserve", "/v1/models/{model}:predict", _kserve()),
        route("mlflow", "/invocations", _mlflow()),
        route("csv", "/invocations", _csv()),
        Target("base64", plain, _base64),
        Target("frames", _frame_samples(), _frames, words=()),
        Target("images", _image_samples(), _image, words=()),
    ]
    return {target.name: target for target in found}
