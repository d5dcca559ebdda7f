"""HEAD, and paths with a slash at their end, at every route of the real server."""

import re
from urllib.parse import urljoin

import pytest

from server.api.app import create_routers
from tests.support import http
from tests.support.raw_connection import RawConnection
from tests.support.servers.protocol_site import JPEG, ProtocolSite, assert_same_scores

_ROUTES = [route for router in create_routers() for route in router.routes]
_GET = sorted({route.path for route in _ROUTES if "GET" in route.methods})  # type: ignore[attr-defined]
_PAGE = ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json"]
_QUERIES = ["/score?a=b", "/score?input_data=x", "/swagger.json?version=3", "/swagger.json?version=9"]
GOT = [re.sub(r"{\w+}", "fridge", path) for path in _GET] + _PAGE + _QUERIES


@pytest.mark.parametrize("path", [*GOT, "/v2/models/none", "/nothing"])
def test_head_has_the_status_and_headers_of_get_and_no_body(site: ProtocolSite, path: str) -> None:
    with RawConnection(site.address) as connection:
        for _ in range(2):  # a body would be taken for the next reply
            head = connection.send(b"HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()).reply(to_head=True)
        got = connection.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()).reply()
    assert head.status == got.status
    own = {"date", "x-request-id", "x-ms-request-id", "content-length" if path == "/metrics" else "", "server-timing"}
    ids = {"content-length"} if got.status >= 400 else set()  # errors hold the id of the request
    assert {name: value for name, value in head.headers.items() if name not in own | ids} == {
        name: value for name, value in got.headers.items() if name not in own | ids
    }


def test_head_is_no_way_around_other_methods(site: ProtocolSite) -> None:
    for path in ("/invocations", "/v2/models/fridge/infer", "/traffic"):
        assert http.request("HEAD", site.server.url + path).status_code == 405
    reply = http.request("HEAD", site.server.url + "/deployments")
    assert (reply.status_code, reply.content) == (403, b"")


@pytest.mark.parametrize("path", [path for path in GOT if "?" not in path and path not in ("/", "/docs", "/metrics")])
def test_a_slash_at_the_end_of_a_path_changes_nothing(site: ProtocolSite, path: str) -> None:
    plain, slashed = site.get(path), site.get(path + "/")
    assert slashed.status_code == plain.status_code
    if plain.status_code < 400:
        assert slashed.content == plain.content


@pytest.mark.parametrize("path", ["/score/", "/invocations/", "/v1/models/fridge:predict/", "/v2/models/fridge/infer/"])
def test_a_body_reaches_a_path_with_a_slash(site: ProtocolSite, path: str) -> None:
    wrong = site.post(path, b"{")
    assert "location" not in wrong.headers
    assert wrong.status_code == site.post(path[:-1], b"{").status_code == 400


def test_an_image_is_scored_at_a_path_with_a_slash(site: ProtocolSite) -> None:
    replies = [site.post(path, JPEG, "image/jpeg").json() for path in ("/score/", "/score")]
    assert_same_scores(replies[:1], replies[1:])


@pytest.mark.parametrize("path", [*GOT, "*"])
def test_options_is_answered_at_every_path(site: ProtocolSite, path: str) -> None:
    with RawConnection(site.address) as connection:
        for version in (b"1.1\r\nHost: a", b"1.0"):  # HAProxy sends the latter
            reply = connection.send(b"OPTIONS %s HTTP/%s\r\n\r\n" % (path.encode(), version)).reply()
            assert (reply.status, reply.body) == (200, b"")
            assert {"GET", "HEAD", "OPTIONS"} <= set(reply.headers["allow"].split(", "))


def test_options_names_the_methods_of_a_path(site: ProtocolSite) -> None:
    allowed = {
        "/invocations": "OPTIONS, POST",
        "/deployments/a": "DELETE, OPTIONS, PUT",
        "/traffic": "OPTIONS, PUT",
        "/score": "GET, HEAD, OPTIONS, POST",
        "/score/": "GET, HEAD, OPTIONS, POST",
    }
    assert {path: http.request("OPTIONS", site.server.url + path).headers["allow"] for path in allowed} == allowed
    assert http.request("OPTIONS", site.server.url + "/nothing").status_code == 404
    other = http.request("DELETE", site.server.url + "/score")
    assert (other.status_code, other.headers["allow"]) == (405, allowed["/score"])


_POST = sorted({route.path for route in _ROUTES if "POST" in route.methods})  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", [re.sub(r"{\w+}", "fridge", path) for path in _POST])
def test_a_body_reaches_every_path_beside_an_upgrade(site: ProtocolSite, path: str) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 7\r\n" % path.encode()
    with RawConnection(site.address) as connection:
        plain = connection.send(head + b'\r\n{"a":1}').reply()
        for upgrade in (b"h2c", b"websocket"):
            fields = b"Connection: Upgrade\r\nUpgrade: %s\r\n\r\n" % upgrade
            reply = connection.send(head + fields + b'{"a":1}').reply()
            assert (reply.status, list(reply.json())) == (plain.status, list(plain.json()))
            assert "is empty" not in reply.body.decode()


def test_other_slashes_name_no_route_and_no_redirect_is_absolute(site: ProtocolSite) -> None:
    for path in ("/score//", "//score", "//", "/docs//"):
        reply = site.get(path)
        assert reply.status_code == 404, path
        assert "location" not in reply.headers
    reply = site.get("/docs/")
    assert reply.status_code == 307
    assert urljoin("/behind/a/prefix/docs/", reply.headers["location"]) == "/behind/a/prefix/docs"
