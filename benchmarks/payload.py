"""What the load consists of: drawn pictures as JPEG files, and the HTTP requests that carry them."""

import base64
import json
from io import BytesIO

from PIL import Image

from examples.fridge.scene import draw_scene

_PICTURES = 16


def pictures() -> list[bytes]:
    """Draw 640x480 pictures and encode each as a JPEG of quality 90."""
    encoded = []
    for seed in range(_PICTURES):
        stream = BytesIO()
        Image.fromarray(draw_scene(seed).picture).save(stream, "JPEG", quality=90)
        encoded.append(stream.getvalue())
    return encoded


def score_request(picture: bytes) -> bytes:
    """Return a complete HTTP/1.1 request that scores one picture as version 2 of the hosted contract."""
    body = json.dumps({"input_data": {"columns": ["image"], "data": [base64.b64encode(picture).decode()]}}).encode()
    head = (
        "POST /score HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
