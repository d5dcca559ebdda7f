"""IsolatedDecoder: decodes images that may take long, or much memory, in a process that can be killed."""

import json
import mmap
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PIL import Image

from models.errors import ImageError
from models.images.decoding import ImageLimits
from server.engine.workers.decoder_process import MAX_MESSAGE_BYTES
from settings.module_command import module_command
from settings.server import ServerSettings

_COMMAND = module_command("server.engine.workers.decoder_process")
# unlike an engine, it returns memory at once; nothing of its arithmetic profits from more threads
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
    "GLIBC_TUNABLES": "",
    "OPENBLAS_NUM_THREADS": "1",
}
_POLL_S = 0.05
_MAX_CPU_S = 10.0  # the largest images that a server accepts by default take three
_TIMEOUT_SHARE = 1 / 2  # of --request-timeout-ms, so that an image alone is refused before its request is late


def max_cpu_s(settings: ServerSettings) -> float:
    """Return the seconds of computing after which an image is given up."""
    return min(_MAX_CPU_S, max(1.0, _TIMEOUT_SHARE * settings.request_timeout_ms / 1000))


class IsolatedDecoder:
    """Decodes one image at a time for whichever thread asks. Its process starts with the first image."""

    def __init__(self, limits: ImageLimits, cpu_s: float) -> None:
        self._limits = limits
        self._cpu_s = cpu_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def limits(self, unwanted: Callable[[], bool]) -> ImageLimits:
        """Return limits under which images are decoded here, each until it is `unwanted`, which must be cheap to ask.

        Decoding raises ImageError with the code `image_too_complex` for one that takes too long.
        """

        def elsewhere(data: bytes | memoryview, exif: bool, enough: int | None) -> Image.Image:
            with self._lock:
                return self._decode(data, exif, enough, unwanted)

        return replace(self._limits, elsewhere=elsewhere)

    def _decode(
        self, data: bytes | memoryview, exif: bool, enough: int | None, unwanted: Callable[[], bool]
    ) -> Image.Image:
        limits = {
            "max_bytes": self._limits.max_bytes,
            "max_pixels": self._limits.max_pixels,
            "scaled": self._limits.scaled,
        }
        request = {"limits": limits, "exif": exif, "enough": enough, "cpu_s": self._cpu_s}
        connection = self._connected()
        encoded = os.memfd_create("encoded")
        with os.fdopen(encoded, "r+b") as file:
            file.write(data)
            file.seek(0)  # where the other process begins to read
            try:
                socket.send_fds(connection, [json.dumps(request).encode()], [encoded])
                reply, descriptors = self._reply(connection, unwanted)
            except ConnectionAbortedError:
                self.close()
                raise ImageError("image_too_complex", "The picture was not decoded in time.") from None
            except OSError:
                raise self._ended() from None
        if "code" in reply:
            raise ImageError(reply["code"], reply["message"])
        with os.fdopen(descriptors[0], "rb") as file:
            size = reply["width"], reply["height"]
            memory = mmap.mmap(file.fileno(), 4 * size[0] * size[1], prot=mmap.PROT_READ)
            pixels: Any = memory  # which the stubs of Pillow do not allow for
            return Image.frombuffer("RGBX", size, pixels, "raw", "RGBX", 0, 1)

    def _reply(self, connection: socket.socket, unwanted: Callable[[], bool]) -> tuple[dict[str, Any], list[int]]:
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE_BYTES, 1)
            except TimeoutError:
                if unwanted():
                    raise ConnectionAbortedError from None
                continue
            if not message:
                raise ConnectionResetError
            return json.loads(message), descriptors

    def _connected(self) -> socket.socket:
        if self._socket is not None and self._process is not None and self._process.poll() is None:
            return self._socket
        self.close()
        own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [*_COMMAND, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,
            )
        own.settimeout(_POLL_S)
        self._socket = own
        return own

    def close(self) -> None:
        """End the process, if there is one. The next image starts another."""
        if self._socket is not None and self._process is not None:
            self._process.kill()
            self._process.wait()
            self._socket.close()
            self._socket = None

    def _ended(self) -> ImageError:
        """Return the error of the image during which the process has ended."""
        assert self._process is not None
        code = self._process.wait()
        self.close()
        if code == -signal.SIGXCPU:
            return ImageError(
                "image_too_complex",
                f"Decoding the picture takes more than {self._cpu_s:.0f} s of computing. Send a smaller one, or save "
                "it again without its many scans, runs or comments.",
            )
        return ImageError(
            "image_unreadable", "The process that decoded the picture ended. Save it again, and send that."
        )
