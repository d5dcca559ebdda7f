"""What an image costs outside the network: python -m benchmarks.path.

Measures each step of a scoring request alone, on one thread, beside other ways to do it: median milliseconds. Only
steps that give the same bytes are compared.
"""

import argparse
import base64
import binascii
import io
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.payload import encoded_images
from benchmarks.harness.report import write_report
from examples.fridge.scene import draw_scene
from models.images.decoding import ImageLimits, decode
from models.images.preprocess import Preprocess
from server.codecs.base64_image import decode_base64
from server.ipc.frame import Frame, FrameKind

_LIMITS, _SCALED = ImageLimits(2**30, 2**30), ImageLimits(2**30, 2**30, scaled=True)


def main() -> None:
    """Measure all steps and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.path", description=__doc__)
    parser.add_argument("--repeat", type=int, default=200)
    options = parser.parse_args()
    machine = describe_machine()
    print(json.dumps(machine))
    torch.set_num_threads(1)
    found = {
        step: {way: _median_ms(work, options.repeat) for way, work in ways.items()} for step, ways in _steps().items()
    }
    for step, ways in found.items():
        print(f"{step:<22}" + ", ".join(f"{way} {ms:.3f}" for way, ms in ways.items()))
    write_report("path", {"machine": machine, "milliseconds": found})


def _steps() -> dict[str, dict[str, Callable[[], Any]]]:
    encoded = encoded_images()[0]
    text = base64.b64encode(encoded).decode()
    body = json.dumps({"input_data": {"columns": ["image"], "data": [text]}}).encode()
    preprocess = Preprocess(256, 224)
    image, photo = decode(encoded, _LIMITS), _photo()
    stored = torch.frombuffer(bytearray(encoded), dtype=torch.uint8)
    reply = [0.1] * 80
    return {
        f"JSON, {len(body) // 1000} kB": {
            "msgspec, as here": lambda: msgspec.json.decode(body),
            "json": lambda: json.loads(body),
        },
        "base64": {
            "ours, forgiving": lambda: decode_base64(text),
            "binascii, strict": lambda: binascii.a2b_base64(text, strict_mode=True),
        },
        "wire": {"frame": lambda: Frame(FrameKind.SCORE, 1, {"deadline": 1.0}, [encoded]).parts()},
        "JPEG, 640x480": {
            "ours": lambda: decode(encoded, _LIMITS),
            "Pillow": lambda: Image.open(io.BytesIO(encoded)).convert("RGB"),
            "torchvision": lambda: decode_jpeg(stored, mode=ImageReadMode.RGB),
        },
        "JPEG, 4000x3000": {
            "ours": lambda: decode(photo, _LIMITS),
            "ours, scaled": lambda: decode(photo, _SCALED, enough=2 * preprocess.resize),
        },
        "resize and crop": {
            "ours": lambda: preprocess.cropped(image),
            "Pillow": lambda: np.asarray(image.resize((341, 256), Image.Resampling.BILINEAR).crop((58, 16, 282, 240))),
        },
        "pixels to an array": {"numpy": lambda: np.asarray(image)},
        "reply, 80 labels": {"json": lambda: json.dumps({"probs": reply}, allow_nan=False)},
    }


def _photo() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(draw_scene(0, size=(4000, 3000)).image).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _median_ms(work: Callable[[], Any], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


if __name__ == "__main__":
    main()
