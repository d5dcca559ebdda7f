"""The memory that decoding takes, as the system counts it, in a process of its own."""

import subprocess
import sys
from textwrap import dedent

import pytest

# 40 megapixels in a small file: grey in a PNG of 16 bits and in TIFF files of 32 and 64 bits in strips of 16 rows, and
# a WebP of one colour
SCRIPT = dedent(
    """
    import io, struct, sys, zlib
    import numpy as np
    from PIL import Image
    from models.images.decoding import ImageLimits, decode
    from tests.support.encodings.tiffs import tiff_file

    width, height = 8000, 5000

    def png():
        rows = zlib.compress(bytes(height * (1 + 2 * width)), 1)
        header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
        parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
        return b"\\x89PNG\\r\\n\\x1a\\n" + b"".join(parts)

    def webp():
        stream = io.BytesIO()
        Image.new("RGB", (width, height), (200, 100, 50)).save(stream, "WEBP", quality=0, method=0)
        return stream.getvalue()

    def tiff(dtype):
        strip = tiff_file(np.zeros((16, width, 1), dtype), compression="deflate", strip=16)
        one = zlib.compress(bytes(16 * width * np.dtype(dtype).itemsize))
        return many_strips(strip, one)

    def many_strips(strip, one):
        # the samples of all strips are the same bytes, so that writing the file takes no memory either
        count = -(-height // 16)
        data = bytearray(strip)
        entries = {struct.unpack_from("<H", data, at)[0]: at for at in range(10, 10 + 12 * data[8], 12)}
        place = struct.unpack_from("<I", data, entries[273] + 8)[0]
        struct.pack_into("<I", data, entries[257] + 8, height)
        for tag, value in ((273, place), (279, len(one))):
            struct.pack_into("<II", data, entries[tag] + 4, count, len(data))
            data += struct.pack("<I", value) * count
        return bytes(data)

    data = {"png": png, "webp": webp}[sys.argv[1]]() if sys.argv[1] in ("png", "webp") else tiff(sys.argv[1])
    limits = ImageLimits(10**8, 10**8)
    decode(tiff_file(np.zeros((9, 9, 1), np.uint16)), limits)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # the peak begins anew
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    before = int(status["VmRSS"].split()[0])
    image = decode(data, limits)
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    assert image.size == (width, height)
    print((int(status["VmHWM"].split()[0]) - before) * 1024 / (width * height))
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is told by Linux")
@pytest.mark.parametrize("kind", ["png", "u4", "f8"])
def test_deep_grey_takes_little_more_memory_than_rgb(kind: str) -> None:
    assert bytes_per_pixel(kind) < 6.5, "4 for RGB and 1 for grey, and what is worked on"


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is told by Linux")
def test_webp_takes_two_canvases_and_a_copy() -> None:
    assert bytes_per_pixel("webp") < 12.5


def bytes_per_pixel(kind: str) -> float:
    done = subprocess.run([sys.executable, "-c", SCRIPT, kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
