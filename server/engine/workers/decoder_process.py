"""The process of an IsolatedDecoder: python -m server.engine.workers.decoder_process SOCKET.

It decodes one image at a time, at a low priority and within limits that the kernel enforces, and never loads PyTorch.
"""

import json
import mmap
import os
import resource
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ImageError
from models.images.decoding import ImageLimits, decode
from models.images.pixels import pixels_of

MAX_MESSAGE_BYTES = 2**16

_NICENESS = 3  # where all cores are busy, half the share of a thread of the engine
_FIRST_TO_GO = "500"  # where the machine runs out of memory
_SPARE_BYTES, _BYTES_PER_PIXEL = 2**29, 24  # for Python, and for the steps from encoded bytes to pixels
_MAX_TEXT = 1000  # characters


def main() -> None:
    """Serve the parent until it closes the socket, which it also does when it ends in any way."""
    warnings.filterwarnings("ignore", module="PIL")
    os.nice(_NICENESS)
    Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(sys.argv[1])) as parent, suppress(ConnectionError):
        while True:
            message, descriptors, _, _ = socket.recv_fds(parent, MAX_MESSAGE_BYTES, 1)
            if not message:
                return
            reply, pixels = _decoded(json.loads(message), descriptors[0])
            socket.send_fds(parent, [json.dumps(reply).encode()], pixels)
            for descriptor in pixels:
                os.close(descriptor)


def _decoded(request: dict[str, Any], encoded: int) -> tuple[dict[str, Any], list[int]]:
    """Decode the image in the file `encoded`; returns the reply and the file of its pixels, uint8 [H, W, 4]."""
    limits = ImageLimits(**request["limits"])
    _bound(request["cpu_s"], limits.max_pixels)
    with os.fdopen(encoded, "rb") as file:
        data = file.read()
    try:
        pixels = pixels_of(decode(data, limits, exif=request["exif"], enough=request["enough"]))
    except ImageError as error:
        return {"code": error.code, "message": str(error)[:_MAX_TEXT]}, []
    except Exception as error:  # a crafted file can raise almost anything from a parser
        return {"code": "image_unreadable", "message": f"The picture could not be decoded ({error})."[:_MAX_TEXT]}, []
    descriptor = os.memfd_create("pixels")
    os.truncate(descriptor, pixels.nbytes)
    memory = mmap.mmap(descriptor, pixels.nbytes)
    np.frombuffer(memory, np.uint8).reshape(pixels.shape)[:] = pixels
    return {"width": pixels.shape[1] // 4, "height": pixels.shape[0]}, [descriptor]


def _bound(cpu_s: float, max_pixels: int) -> None:
    """Let the kernel end this process after `cpu_s` more seconds of computing, and bound its memory."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    end = round(usage.ru_utime + usage.ru_stime + cpu_s + 0.5)
    resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))
    most = _SPARE_BYTES + _BYTES_PER_PIXEL * max_pixels
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
