"""JSON in all its encodings, with a bound on its values and its depth."""

import json
import math
from typing import Any

import pytest

from server.codecs.json_text import MOST_VALUES, parse_json
from server.errors import ServiceError

CONTENT = {"input_data": {"columns": ["image"], "data": ["\u00e9\U0001f600 [,"]}}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_every_encoding_of_json_is_read(encoding: str) -> None:
    assert parse_json(json.dumps(CONTENT, ensure_ascii=False).encode(encoding)) == CONTENT


def test_texts_are_read_as_bytes_are() -> None:
    text = json.dumps(CONTENT)
    assert parse_json(text) == parse_json("\ufeff" + text) == CONTENT
    assert math.isnan(parse_json("[NaN]")[0])


def nested(depth: int, around: str = "[]") -> bytes:
    return (around[0] * depth + around[1] * depth).encode()


@pytest.mark.parametrize(
    "text",
    [nested(65), nested(1000), nested(10**6), b'{"a":' * 65 + b"1" + b"}" * 65, b"[[]," + nested(70) + b"]"],
    ids=["lists", "hundreds", "a million", "objects", "beside another"],
)
def test_what_is_nested_too_deep_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, ServiceError), match=r"deeper than 64|more than"):
        parse_json(text)


def test_depth_is_what_counts() -> None:
    assert parse_json(nested(64))
    assert parse_json(b"[" + b",".join([nested(50)] * 100) + b"]")


@pytest.mark.parametrize("part", [b"[],", b"{},", b"1,", b'"a":1,', b'{"a":[]},'], ids=str)
def test_too_many_values_are_refused(part: bytes) -> None:
    around = b"{%s}" if part.startswith(b'"') else b"[%s]"
    for text in (around % (part * MOST_VALUES)[:-1], b'{"a": ' + around % (part * MOST_VALUES)):
        with pytest.raises(ServiceError, match="more than 262144") as caught:
            parse_json(text)
        assert (caught.value.code, caught.value.status) == ("too_many_values", 413)


def test_as_many_values_as_a_request_of_65536_images_has() -> None:
    rows: list[Any] = [["abcd", 1]] * 2**16
    assert parse_json(json.dumps({"columns": ["image", "index"], "data": rows}).encode())["data"] == rows


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "7" * 100_000])
def test_huge_whole_numbers_are_refused(number: str) -> None:
    with pytest.raises(ValueError, match="4300 digits"):
        parse_json(number)
