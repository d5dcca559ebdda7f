"""The content of a load: drawn images as JPEG files, and the HTTP requests that carry them."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

from examples.fridge.scene import draw_scene

_IMAGES = 16


@cache
def encoded_images(least_bytes: int = 0, count: int = _IMAGES) -> list[bytes]:
    """Draw `count` 640x480 images, encode each as a JPEG of quality 90, and pad it with zeros to `least_bytes`."""
    encoded = []
    for seed in range(count):
        stream = BytesIO()
        Image.fromarray(draw_scene(seed).image).save(stream, "JPEG", quality=90)
        encoded.append(stream.getvalue().ljust(least_bytes, b"\0"))
    return encoded


def score_body(image: bytes, xai_parameters: Mapping[str, Any] | None = None) -> bytes:
    """Return the body of a request of the hosted contract, version 2, that scores one image or explains it."""
    text = base64.b64encode(image).decode()
    explained = {"image_base64": text, "model_explainability": True, "xai_parameters": xai_parameters}
    cell = text if xai_parameters is None else explained
    return json.dumps({"input_data": {"columns": ["image"], "data": [cell]}}).encode()


def score_request(image: bytes, xai_parameters: Mapping[str, Any] | None = None) -> bytes:
    """Return a complete HTTP/1.1 request with the same body."""
    body = score_body(image, xai_parameters)
    head = (
        "POST /score HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
