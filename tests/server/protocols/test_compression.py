"""Compressed bodies: read by every protocol, bounded by what they hold, and refused where they are damaged."""

import asyncio
import bz2
import gzip
import itertools
import json
import random
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given, settings
from hypothesis import strategies as st

from server.codecs.bodies_in_flight import SMALL_BYTES, BodiesInFlight
from server.codecs.body import read_body
from server.codecs.compression import Decompressor
from server.errors import ServiceError
from tests.support.servers.protocol_site import JPEG, MOST_BYTES, TEXT, ProtocolSite

TABLE = {"columns": ["image"], "data": [[TEXT]]}
CSV = b"image\n" + TEXT.encode()
FORM = b'--cut\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n%s\r\n--cut--\r\n' % JPEG
INFER = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]}
BODIES: dict[str, tuple[str, Any, str]] = {
    "version 2": ("/score", {"input_data": [TEXT]}, "application/json"),
    "version 1": ("/score", JPEG, "image/jpeg"),
    "form": ("/score", FORM, "multipart/form-data; boundary=cut"),
    "mlflow": ("/invocations", {"dataframe_split": TABLE}, "application/json"),
    "csv": ("/invocations", CSV, "text/csv"),
    "kserve": ("/v1/models/fridge:predict", {"instances": [{"b64": TEXT}]}, "application/json"),
    "open inference": ("/v2/models/fridge/infer", INFER, "application/json"),
}


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


COMPRESSIONS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "capitals": ("GZIP", gzip.compress),
    "its older name": ("x-gzip", gzip.compress),
    "stored": ("gzip", lambda data: gzip.compress(data, 0)),
    "in parts": ("gzip", lambda data: gzip.compress(data[:99]) + b"\0\0" + gzip.compress(data[99:]) + b"\0"),
    "zlib": ("deflate", zlib.compress),
    "without a header": ("deflate", raw_deflate),
}


def scores(reply: Any) -> Any:
    """The reply without what differs from request to request."""
    content = reply.json()
    for name in ("filename", "id"):
        content.pop(name, None) if isinstance(content, dict) else None
    return content


@pytest.mark.parametrize("name", BODIES)
def test_every_protocol_reads_compressed_bodies(site: ProtocolSite, name: str) -> None:
    path, body, media_type = BODIES[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    plain = site.post(path, content, media_type)
    assert plain.status_code == 200, plain.text
    for encoding, compress in COMPRESSIONS.values():
        reply = site.post(path, compress(content), media_type, **{"content-encoding": encoding})
        assert (reply.status_code, scores(reply)) == (200, scores(plain)), reply.text


BODY = json.dumps({"image": TEXT}).encode()
PACKED = gzip.compress(BODY)
REFUSED: dict[str, tuple[str, bytes, int, str, str]] = {
    "much in little": (
        "gzip",
        gzip.compress(b"0" * 50 * MOST_BYTES),
        413,
        "body_too_large",
        f"or more once decompressed; this server accepts up to {MOST_BYTES}",
    ),
    "much in parts": ("gzip", gzip.compress(b"0" * MOST_BYTES) * 2, 413, "body_too_large", "once decompressed"),
    "much, deflated": ("deflate", zlib.compress(b"0" * 50 * MOST_BYTES), 413, "body_too_large", "once decompressed"),
    "half": ("gzip", PACKED[: len(PACKED) // 2], 400, "compression_invalid", "it ends too early"),
    "without its checksum": ("gzip", PACKED[:-8], 400, "compression_invalid", "it ends too early"),
    "nothing": ("gzip", b"", 400, "compression_invalid", "it ends too early"),
    "another checksum": ("gzip", PACKED[:-8] + b"12345678", 400, "compression_invalid", "incorrect data check"),
    "a bit": ("gzip", PACKED[:100] + b"\xff\xff" + PACKED[102:], 400, "compression_invalid", "is not the gzip"),
    "more after it": ("gzip", PACKED + b"more", 400, "compression_invalid", "incorrect header check"),
    "a line after it": ("gzip", PACKED + b"\n", 400, "compression_invalid", "it ends too early"),
    "not compressed": ("gzip", BODY, 400, "compression_invalid", "incorrect header check"),
    "text called deflate": ("deflate", BODY, 400, "compression_invalid", "is not the deflate"),
    "many empty parts": ("gzip", gzip.compress(b"", 0) * 2**14, 413, "body_too_large", f"up to {MOST_BYTES}"),
    "another way": ("br", BODY, 415, "content_encoding", "Send it as it is, or compressed by gzip or deflate."),
    "an older way": ("compress", bz2.compress(BODY), 415, "content_encoding", "by 'compress'"),
    "twice": ("gzip, gzip", gzip.compress(PACKED), 415, "content_encoding", "by 'gzip, gzip'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_decompressed_is_refused(site: ProtocolSite, case: str) -> None:
    encoding, body, status, code, words = REFUSED[case]
    reply = site.post("/score", body, **{"content-encoding": encoding})
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert words in reply.json()["message"]
    assert site.post("/score", PACKED, **{"content-encoding": "gzip"}).status_code == 200, "and it goes on"


async def collected(encoding: str, chunks: Sequence[bytes]) -> list[bytes]:
    decompressor = Decompressor(encoding)
    pieces = [piece for chunk in chunks for piece in [each async for each in decompressor.pieces(chunk)]]
    decompressor.finish()
    return pieces


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=300).map(lambda data: data * 50), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
    way=st.sampled_from([*COMPRESSIONS.values()]),
)
def test_any_content_comes_through_however_it_arrives(
    parts: list[bytes], cuts: list[int], way: tuple[str, Callable[[bytes], bytes]]
) -> None:
    encoding, compress = way[0].lower(), way[1]
    body = b"".join(map(compress, parts if encoding != "deflate" else parts[:1]))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[start:end] for start, end in itertools.pairwise(edges)]
    content = b"".join(parts if encoding != "deflate" else parts[:1])
    assert b"".join(asyncio.run(collected(encoding, chunks))) == content


@pytest.mark.parametrize("size", [2**18 - 1, 2**18, 2**18 + 1, 2**20, 2**20 + 2**18, 2**22 + 1])
def test_pieces_are_small_and_none_is_lost(size: int) -> None:
    for content in (b"0" * size, random.Random(size).randbytes(size)):
        pieces = asyncio.run(collected("gzip", [gzip.compress(content, 1)]))
        assert b"".join(pieces) == content
        assert max(map(len, pieces)) <= 2**20


def test_many_parts_are_refused() -> None:
    with pytest.raises(ServiceError, match="has 16384 parts or more"):
        asyncio.run(collected("gzip", [gzip.compress(b"") * 2**14]))


def test_what_is_decompressed_counts_among_the_bodies_in_flight() -> None:
    body = gzip.compress(b"0" * 8 * SMALL_BYTES)
    assert len(body) < SMALL_BYTES // 10

    async def read(most_bytes: int) -> tuple[int, int]:
        received = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(received)

        scope = {"type": "http", "method": "POST", "headers": [(b"content-encoding", b"gzip")]}
        bodies = BodiesInFlight(most_bytes)
        with bodies.hold() as held:
            read = await read_body(
                Request(scope, receive),
                10 * SMALL_BYTES,
                1e12,
                accepts_media_type=lambda _: True,
                media_types="",
                held=held,
            )
            return len(read.data), bodies.held_bytes

    assert asyncio.run(read(8 * SMALL_BYTES)) == (8 * SMALL_BYTES, 8 * SMALL_BYTES)
    with pytest.raises(ServiceError, match="this process holds") as caught:
        asyncio.run(read(4 * SMALL_BYTES))
    assert caught.value.code == "queue_full"
