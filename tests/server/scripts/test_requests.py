"""What scripts are given and give back, compared with Werkzeug's requests and responses, and with anything at all."""

import io
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers as WerkzeugHeaders
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from server.ipc.frame import Frame, FrameKind, FrameReader
from server.ipc.raw_http import RawReply, RawRequest
from server.scripts.runner.form import UploadedFile, read_form
from server.scripts.runner.inputs import headers_of, query_values
from server.scripts.runner.multi_dict import Headers, MultiDict
from server.scripts.runner.raw_request import AMLRequest
from server.scripts.runner.raw_response import AMLResponse, reply_of
from tests.support.contract import contract

FEWER = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # Werkzeug takes its time
NAMES = st.sampled_from(["a", "b", "image", "A", "x y"])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
PAIRS = st.lists(st.tuples(NAMES, TEXTS), max_size=5)
FILES = st.lists(st.tuples(NAMES, st.text("abc.\u00e4", min_size=1, max_size=8), st.binary(max_size=60)), max_size=3)
HEADER_PAIRS = st.lists(st.tuples(st.sampled_from(["x-a", "X-A", "Accept", "x-b"]), st.text("ab1", max_size=3)))


def both(builder: EnvironBuilder) -> tuple[AMLRequest, Request]:
    """The same request as ours and as Werkzeug's."""
    environ = builder.get_environ()
    body = environ["wsgi.input"].read()
    environ["wsgi.input"].close()
    builder.close()
    environ["wsgi.input"] = io.BytesIO(body)
    theirs = Request(environ)
    headers = [(name.lower(), value) for name, value in theirs.headers]
    query = theirs.query_string.decode("latin-1")
    return AMLRequest(RawRequest(theirs.method, theirs.path, query, headers, body)), theirs


@contract("Scoring scripts", "An AMLRequest is a request of Flask")
@FEWER
@given(PAIRS, st.sampled_from(["GET", "POST", "OPTIONS"]), st.binary(max_size=50))
def test_a_request_is_read_as_werkzeug_reads_it(query: list[tuple[str, str]], method: str, body: bytes) -> None:
    headers = [("X-Foo-Bar", "1"), ("Cookie", "c=d; e=f"), ("Content-Type", "Text/Plain; charset=utf-8")]
    builder = EnvironBuilder("/score", method=method, query_string=urlencode(query), data=body, headers=headers)
    ours, theirs = both(builder)
    for name in ("method", "path", "full_path", "query_string", "scheme", "host", "base_url", "mimetype", "is_json"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.content_length == (theirs.content_length or None)
    assert ours.args.items(multi=True) == list(theirs.args.items(multi=True))
    assert (ours.args.to_dict(), ours.args.keys()) == (theirs.args.to_dict(), list(theirs.args.keys()))
    assert dict(ours.cookies) == dict(theirs.cookies)
    assert ours.get_data() == ours.data == theirs.get_data()
    assert sorted(ours.headers) == sorted(theirs.headers)
    assert ours.headers["x-FOO-bar"] == theirs.headers["x-FOO-bar"]


@FEWER
@given(PAIRS, FILES)
def test_a_form_is_read_as_werkzeug_reads_it(
    fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]]
) -> None:
    builder = EnvironBuilder("/score", method="POST", content_type="multipart/form-data")
    for name, text in fields:
        builder.form.add(name, text)
    for name, filename, content in files:
        builder.files.add_file(name, io.BytesIO(content), filename, "image/png")
    ours, theirs = both(builder)
    with closing(theirs):
        assert ours.form.items(multi=True) == list(theirs.form.items(multi=True))
        found, expected = (
            [(name, file.filename, file.content_type, file.read()) for name, file in request.files.items(multi=True)]
            for request in (ours, theirs)
        )
    assert found == expected
    assert ours.values.items(multi=True) == ours.form.items(multi=True)


@FEWER
@given(PAIRS)
def test_an_encoded_form_is_read_as_werkzeug_reads_it(fields: list[tuple[str, str]]) -> None:
    builder = EnvironBuilder(
        "/score", method="POST", data=urlencode(fields), content_type="application/x-www-form-urlencoded"
    )
    ours, theirs = both(builder)
    assert ours.form.items(multi=True) == list(theirs.form.items(multi=True))


@given(st.text(max_size=30), st.binary(max_size=200))
def test_any_body_is_a_form_or_none_and_nothing_else(content_type: str, body: bytes) -> None:
    for kind in (content_type, f"multipart/form-data; boundary={content_type}", "multipart/form-data; boundary=x"):
        for data in (body, b"--x\r\n" + body + b"\r\n--x--"):
            fields, files = read_form(kind, data)
            assert all(isinstance(file, UploadedFile) for file in files.values())
            assert all(isinstance(text, str) for text in fields.values())


def test_a_file_of_a_form_is_read_and_saved_like_any_file(tmp_path: Path) -> None:
    file = UploadedFile(b"abc", "image", "a.png", Headers())
    assert (file.stream.read(2), file.seek(0), file.read()) == (b"ab", 0, b"abc")
    target = io.BytesIO()
    file.save(target)
    file.save(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == target.getvalue() == b"abc"


@given(HEADER_PAIRS)
def test_headers_are_as_werkzeugs(pairs: list[tuple[str, str]]) -> None:
    ours, theirs = Headers(pairs), WerkzeugHeaders(pairs)

    def same() -> None:
        assert list(ours) == list(theirs)
        assert [ours.get(name) for name in ("X-a", "x-B")] == [theirs.get(name) for name in ("X-a", "x-B")]
        assert ours.getlist("x-A") == theirs.getlist("x-A")
        assert ("X-A" in ours, len(ours)) == ("X-A" in theirs, len(theirs))

    same()
    for headers in (ours, theirs):
        headers.add("x-new", "1")
        headers.setdefault("X-New", "2")
        headers["X-B"] = "3"
        headers.remove("Accept")
    assert sorted(ours) == sorted(theirs)
    assert ours.pop("X-NEW") == theirs.pop("X-NEW") == "1"
    assert ours.pop("X-NEW", None) is None
    with pytest.raises(KeyError):
        ours.pop("X-NEW")


def test_values_of_a_mapping_with_several() -> None:
    found = MultiDict([("a", "1"), ("b", "x"), ("a", "2")])
    assert (found["a"], found.getlist("a"), found.get("b", type=int, default=7)) == ("1", ["1", "2"], 7)
    assert found.get("a", type=int) == 1
    assert found.to_dict(flat=False) == {"a": ["1", "2"], "b": ["x"]}
    assert list(found) == ["a", "b"]
    with pytest.raises(KeyError):
        found["c"]


def test_json_of_a_request() -> None:
    plain = AMLRequest(RawRequest("POST", body=b'{"a": 1}'))
    assert plain.get_json(silent=True) is None
    assert plain.get_json(force=True) == {"a": 1}
    with pytest.raises(ValueError, match="expected application/json"):
        plain.get_json()
    broken = AMLRequest(RawRequest("POST", headers=[("content-type", "application/json")], body=b"{"))
    assert broken.get_json(silent=True) is None
    with pytest.raises(ValueError, match="Expecting"):
        _ = broken.json


@given(st.text(max_size=60))
def test_any_query_has_values(query: str) -> None:
    json.dumps(query_values(query))


def test_repeated_headers_are_put_together() -> None:
    request = RawRequest("POST", headers=[("x-request-id", "1"), ("x-a", "2"), ("x-a", "3")])
    assert headers_of(request) == {"X-Request-Id": "1", "X-A": "2,3"}


HEADERS = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=4).map(tuple)


@given(st.text(), st.text(), HEADERS, st.binary(), st.integers(1, 50))
def test_requests_and_replies_arrive_as_they_were_sent(
    method: str, query: str, headers: Sequence[tuple[str, str]], body: bytes, piece: int
) -> None:
    request = RawRequest(method, "/score", query, headers, body, "id")
    reply = RawReply(201, headers, body, failed=True, exec_ms=0.25, stages={"queue": 0.5})
    sent = [Frame(FrameKind.RUN, 7, request.fields(12.5), [body]), reply.frame(7)]
    wire = b"".join(part for frame in sent for part in frame.parts())
    reader = FrameReader()
    received, answered = [frame for at in range(0, len(wire), piece) for frame in reader.feed(wire[at : at + piece])]
    assert RawRequest.of(received) == request
    assert RawReply.of(answered) == reply
    assert (received.number, received.fields["deadline"]) == (7, 12.5)


class Array:
    """Like an array of numpy or a tensor, as far as JSON is concerned."""

    def tolist(self) -> list[float]:
        return [1.5]


@contract("Scoring scripts", "What run() returns is JSON, unless it is a response")
def test_what_run_returns_is_json_unless_it_is_a_response() -> None:
    for value, text in ((["a"], b'["a"]'), ("a", b'"a"'), (None, b"null"), ({"a": Array()}, b'{"a": [1.5]}')):
        reply = reply_of(value, 1.5)
        assert (reply.status, reply.body, reply.failed, reply.exec_ms) == (200, text, False, 1.5)
        assert reply.headers == (("Content-Type", "application/json"),)
    with pytest.raises(TypeError, match="something with a bytes, which JSON has no form for"):
        reply_of(b"x", 0)


def test_a_response_is_sent_as_it_is() -> None:
    response = AMLResponse("\u00e4", 418, {"content-type": "text/plain", "X-A": "1, 2", "Allow": "GET"})
    response.headers["Allow"] = "POST"
    reply = reply_of(response, 0)
    assert (reply.status, reply.body, reply.failed) == (418, "\u00e4".encode(), False)
    assert reply.headers == (("content-type", "text/plain"), ("X-A", "1"), ("X-A", "2"), ("Allow", "POST"))
    response.content_type = "text/html"
    assert (response.mimetype, response.content_type) == ("text/html", "text/html")
    response.set_data("b")
    assert (response.get_data(), response.get_data(as_text=True)) == (b"b", "b")


def test_a_response_of_flask_is_one_too() -> None:
    from werkzeug.wrappers import Response

    reply = reply_of(Response("x", 503, {"X-A": "1"}, mimetype="text/plain"), 0)
    assert (reply.status, reply.body, reply.failed) == (503, b"x", True)
    assert ("X-A", "1") in reply.headers
    assert ("Content-Type", "text/plain; charset=utf-8") in reply.headers


@pytest.mark.parametrize("message", [1, object(), ["a", 1]])
def test_a_message_is_text_or_bytes(message: object) -> None:
    with pytest.raises(TypeError, match="The message of a response is a"):
        AMLResponse(message, 200)
