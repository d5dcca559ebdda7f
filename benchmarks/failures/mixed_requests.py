"""Mixed requests: scores by every protocol, bad images, explanations, and what is refused, mostly cheap ones."""

import base64
import json
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.payload import score_body
from tests.support.images import encoded, painted

_IMAGES = [encoded(painted(seed, 48, 36), form) for seed, form in enumerate(("JPEG", "PNG", "WEBP", "GIF", "BMP"))]
_TEXTS = [base64.b64encode(image).decode() for image in _IMAGES]
_JSON = "application/json"
_BOUNDARY = "boundary"


@dataclass(frozen=True, slots=True)
class MixedRequest:
    """A whole HTTP/1.1 request, and the statuses that are right for it; 429 and 503 beside, when the server is busy."""

    content: bytes
    right: frozenset[int]


def mixed_requests(model: str, seed: int = 0) -> Iterator[MixedRequest]:
    """Return requests without end; a seventh of them score an image, one in two hundred explains one."""
    draw = random.Random(seed)
    scoring, cheap = _scoring(model), _cheap()
    explaining = [
        _post("/score", score_body(_IMAGES[0], {"xai_algorithm": "gradcam", "visualization": kind}), _JSON, 200)
        for kind in ("overlay", "heatmap")
    ]
    while True:
        what = draw.random()
        yield draw.choice(explaining if what < 0.005 else scoring if what < 0.15 else cheap)


def _scoring(model: str) -> Sequence[MixedRequest]:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": _TEXTS[:1]}
    element = struct.pack("<I", len(_IMAGES[0])) + _IMAGES[0]
    binary = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(element)}}
    line = json.dumps({"inputs": [binary]}).encode()
    files = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n%s\r\n' % (_BOUNDARY.encode(), image)
        for image in _IMAGES[:2]
    )
    form = files + b"--%s--\r\n" % _BOUNDARY.encode()
    return [
        *(_post("/score", image, "image/png", 200) for image in _IMAGES),
        *(_post("/score", score_body(image), _JSON, 200) for image in _IMAGES),
        _json("/score", {"image": _TEXTS[1]}, 200),
        _post("/score", form, f"multipart/form-data; boundary={_BOUNDARY}", 200),
        _json("/invocations", {"dataframe_split": {"columns": ["image"], "data": [_TEXTS[:1]]}}, 200),
        _post("/invocations", f"image\n{_TEXTS[2]}\n".encode(), "text/csv", 200),
        _json(f"/v1/models/{model}:predict", {"instances": [{"b64": _TEXTS[0]}]}, 200),
        _json(f"/v2/models/{model}/infer", {"inputs": [tensor]}, 200),
        _post(
            f"/v2/models/{model}/infer",
            line + element,
            "application/octet-stream",
            200,
            f"Inference-Header-Content-Length: {len(line)}\r\n",
        ),
    ]


def _cheap() -> Sequence[MixedRequest]:
    cut, table = _IMAGES[0][:200], {"columns": ["image"], "data": ["no base64 !"]}
    return [
        *(_post("/score", image[: len(image) // 3], "image/png", 422) for image in _IMAGES),
        _post("/score", b"no image", "image/png", 422),
        _post("/score", score_body(cut), _JSON, 422),
        _json("/score", {"input_data": table}, 422),
        _json("/score", {"input_data": {"columns": ["image"], "data": 7}}, 400, 422),
        _post("/score", b"", _JSON, 400, 422),
        _post("/score", b"{", _JSON, 400),
        _post("/score", b"[1, 2]", _JSON, 400, 422),
        _post("/score", b"a,b", "text/unknown", 400, 415),
        _post("/score", score_body(_IMAGES[0], {"xai_algorithm": "unknown"}), _JSON, 422),
        _json("/invocations", {"dataframe_split": 1}, 400, 422),
        _json("/v1/models/unknown:predict", {"instances": []}, 404),
        _json("/v2/models/unknown/infer", {"inputs": []}, 404),
        *(_get(path, 200) for path in ("/health/live", "/health/ready", "/v2", "/v1/models", "/swagger.json", "/")),
        _get("/no/such/page", 404),
        _get("/invocations", 405),
    ]


def _json(path: str, document: Any, *right: int) -> MixedRequest:
    return _post(path, json.dumps(document).encode(), _JSON, *right)


def _post(path: str, body: bytes, kind: str, *rest: Any) -> MixedRequest:
    more = "".join(each for each in rest if isinstance(each, str))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return MixedRequest(head.encode() + body, frozenset(each for each in rest if isinstance(each, int)))


def _get(path: str, *right: int) -> MixedRequest:
    return MixedRequest(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), frozenset(right))
