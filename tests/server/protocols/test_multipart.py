"""Forms are read as the email package of the standard library reads them, and never only in part."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.codecs.multipart import form_files
from server.errors import ServiceError

HEAD = b'Content-Disposition: form-data; name="a"; filename="a.jpg"\r\n'
UNCHOSEN = b'Content-Disposition: form-data; name="b"; filename=""\r\nContent-Type: application/octet-stream\r\n'


def by_email(body: bytes, content_type: str) -> list[bytes]:
    """Read the files by another implementation."""
    message: Any = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    return [part.get_payload(decode=True) for part in message.iter_parts() if part.get_filename() is not None]


def encoded(files: list[tuple[str, bytes]], fields: dict[str, str]) -> tuple[bytes, str]:
    """Write a form by httpx."""
    parts = [("files", (name, content, "image/jpeg")) for name, content in files]
    request = httpx.Request("POST", "http://test", files=parts, data=fields)
    return request.read(), request.headers["content-type"]


NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2000, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9
)


@settings(max_examples=300, deadline=None)
@given(
    files=st.lists(st.tuples(NAMES, st.binary(max_size=80)), min_size=1, max_size=4),
    fields=st.dictionaries(st.text("abc", min_size=1), st.text("-\r\nx", max_size=9), max_size=2),
)
def test_files_come_through_byte_by_byte(files: list[tuple[str, bytes]], fields: dict[str, str]) -> None:
    body, content_type = encoded(files, fields)
    assert form_files(body, content_type) == [content for _, content in files]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("ab-\r\n;=", max_size=30), max_size=3), st.data())
def test_another_implementation_reads_the_same(contents: list[str], data: st.DataObject) -> None:
    parts = [HEAD + b"\r\n" + content.encode() for content in contents]
    body = (
        b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts)
        + b"--cut--"
        + data.draw(st.sampled_from([b"", b"\r\n", b"\r\nend"]))
    )
    content_type = "multipart/form-data; boundary=cut"
    try:
        found = form_files(body, content_type)
    except ServiceError:
        assert any("\r\n--cut" in f"\r\n{content}" for content in contents) or not contents
    else:
        # which takes a lone line feed or carriage return for the end of a line, and drops it before a boundary
        assert [each.strip() for each in found] == [each.strip() for each in by_email(body, content_type)]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=cut",
        'multipart/form-data; boundary="cut"',
        "multipart/form-data;BOUNDARY = cut ",
        "multipart/form-data; charset=utf-8; boundary=cut; x=y",
        "multipart/form-data; charset=undefined; boundary=cut",
    ],
)
def test_the_boundary_is_found_in_the_content_type(content_type: str) -> None:
    assert form_files(b"--cut\r\n" + HEAD + b"\r\none\r\n--cut--\r\n", content_type) == [b"one"]


@pytest.mark.parametrize("boundary", ["a b", "----WebKitFormBoundary7MA4YWxkTrZu0gW", "'()+_,-./:=?", "x" * 70])
def test_any_boundary_of_the_standard(boundary: str) -> None:
    body = b"--%s\r\n%s\r\none\r\n--%s--" % (boundary.encode(), HEAD, boundary.encode())
    assert form_files(body, f'multipart/form-data; boundary="{boundary}"') == [b"one"]


@pytest.mark.parametrize(
    ("body", "files"),
    [
        (b"--cut--", []),
        (b"some words\r\n--cut\r\n" + HEAD + b"\r\none\r\n--cut--\r\nmore words", [b"one"]),
        (b"--cut \t\r\n" + HEAD + b"\r\none\r\n--cut--", [b"one"]),
        (b"--cut\r\n" + HEAD + b"\r\n\r\n--cut--", [b""]),
        (b"--cut\r\n" + HEAD + b"\r\n--cut--", [b""]),
        (b"--cut\r\n" + HEAD + b"\r\none\r\ntwo\r\n\r\n\r\n--cut--", [b"one\r\ntwo\r\n\r\n"]),
        (b"--cut\r\n" + HEAD + b"\r\none--cut\r\n--cut--", [b"one--cut"]),
        (b"--cut\r\nContent-Type: image/png\r\n" + HEAD.upper() + b"\r\none\r\n--cut--", [b"one"]),
        (b"--cut\r\n" + HEAD.replace(b"filename=", b"filename*=utf-8''") + b"\r\none\r\n--cut--", [b"one"]),
        (b'--cut\r\nContent-Disposition: form-data; name="filename"\r\n\r\na note\r\n--cut--', []),
        (b"--cut\r\n\r\nno headers\r\n--cut--", []),
        (b"--cut\r\n" + HEAD + b"\r\none\r\n--cut\r\n" + UNCHOSEN + b"\r\n\r\n--cut--", [b"one"]),
        (b"--cut\r\n" + UNCHOSEN + b"\r\none\r\n--cut--", [b"one"]),
        (b"--cut\r\n" + UNCHOSEN.replace(b'""', b"") + b"\r\n\r\n--cut--", []),
        (b"--cut\r\n" + UNCHOSEN.replace(b'=""', b"*=UTF-8''") + b"\r\n\r\n--cut--", []),
    ],
    ids=[
        "nothing",
        "words around",
        "spaces",
        "empty",
        "no line",
        "lines",
        "no line end",
        "case",
        "star",
        "field",
        "bare",
        "a field where none was chosen",
        "no name",
        "no quotes",
        "an empty star",
    ],
)
def test_what_is_a_file(body: bytes, files: list[bytes]) -> None:
    assert form_files(body, "multipart/form-data; boundary=cut") == files


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"--cut--", "multipart/form-data", "names no boundary"),
        (b"--cut--", "multipart/form-data; boundary=", "names no boundary"),
        (b"--cut--", 'multipart/form-data; boundary=""', "names no boundary"),
        (b"--cut--", "multipart/form-data; boundary=\u00e9", "names no boundary"),
        (b"--cut--", f"multipart/form-data; boundary={'x' * 71}", "names no boundary"),
        (b"", "", "nowhere"),
        (b"x--cut--", "", "nowhere"),
        (b"--cut", "", "ends before"),
        (b"--cut\r\n" + HEAD + b"\r\none", "", "ends before"),
        (b"--cut\r\n" + HEAD + b"\r\none\r\n--cut\r\n" + HEAD + b"\r\ntwo", "", "ends before"),
        (b"--cut\r\n" + HEAD + b"\r\none\r\n--cutter\r\n" + HEAD + b"\r\ntwo\r\n--cut--", "", "goes on"),
        (b"--cut\r\n" + HEAD.strip() + b"\r\n--cut--", "", "no empty line"),
        (b"--cut\r\n" + HEAD + b"x" * 2**14 + b"\r\n\r\n--cut--", "", "more than 16384 bytes"),
        (b"--cut\r\n\r\n\r\n" * 2**16 + b"--cut--", "", "65536 parts"),
    ],
)
def test_what_is_no_whole_form_is_refused(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        form_files(body, content_type or "multipart/form-data; boundary=cut")
    assert caught.value.code == "form_invalid"
