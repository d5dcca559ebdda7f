"""Every page and address below a path prefix, behind nginx that removes it, and by itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from benchmarks.proxies.proxy_process import ProxyProcess
from benchmarks.proxies.refusals import SCORING_KEY
from tests.support import http
from tests.support.folders.user_scripts import write_scripts
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer
from tests.support.system_tools import system_tool

PREFIX = "/models/fridge"
JPEG = {"content-type": "image/jpeg", "authorization": f"Bearer {SCORING_KEY}"}


@pytest.fixture(scope="module")
def below(keyed_server: LiveServer) -> Iterator[str]:
    """The URL of the server below a prefix of nginx."""
    system_tool("nginx")
    with ProxyProcess("nginx-prefix.conf", keyed_server.port) as proxy:
        yield proxy.url + PREFIX


def test_scoring_and_probes_work_below_a_prefix(below: str) -> None:
    image = encoded(painted(1, 80, 80), "JPEG")
    for path in ("/score", "/score/"):
        assert http.post(below + path, content=image, headers=JPEG).status_code == 200
    for path in ("/", "/health/ready", "/health/live/", "/ping", "/v2", "/metrics"):
        assert http.get(below + path).status_code == 200, path


def test_the_api_page_works_below_a_prefix(below: str) -> None:
    page = http.get(below + "/docs")
    references = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert references
    for reference in (each for each in references if not each.startswith("data:")):
        assert http.get(urljoin(below + "/docs", reference)).status_code == 200, reference
    (described,) = re.findall(r'^  url: "([^"]+)"', http.get(below + "/docs/start.js").text, re.MULTILINE)
    assert http.get(urljoin(below + "/docs", described)).json()["servers"] == [{"url": PREFIX}]
    with_slash = http.get(below + "/docs/")
    assert urljoin(below + "/docs/", with_slash.headers["location"]) == below + "/docs"


def test_the_hosted_description_names_prefix_and_scheme(below: str, keyed_server: LiveServer) -> None:
    described = http.get(below + "/swagger.json").json()
    assert (described["basePath"], described["schemes"]) == (PREFIX, ["http"])
    assert http.get(below + "/swagger.json?version=3").json()["servers"] == [{"url": PREFIX}]
    described = http.get(keyed_server.url + "/swagger.json").json()
    assert (described["basePath"], described["schemes"]) == ("/", ["http", "https"])


@pytest.mark.parametrize("prefix", ["//evil.example", "https://evil.example", '/"><script>', "/../a"])
def test_no_address_is_made_of_a_hostile_prefix(keyed_server: LiveServer, prefix: str) -> None:
    headers = {"x-forwarded-prefix": prefix, "x-forwarded-host": "evil.example", "x-forwarded-proto": "javascript"}
    for path in ("/openapi.json", "/swagger.json", "/swagger.json?version=3", "/docs", "/docs/", "/score/", "/nothing"):
        hostile, plain = (http.get(keyed_server.url + path, headers=each) for each in (headers, {}))
        assert hostile.headers.get("location") == plain.headers.get("location")
        assert hostile.status_code == plain.status_code
        assert hostile.status_code >= 400 or hostile.content == plain.content


def test_a_root_path_is_removed_and_shown(tmp_path: Path) -> None:
    folder = write_scripts(tmp_path)
    script = ("--entry-script", folder / "score.py", "--model-dir", folder / "model")
    with LiveServer(*script, "--root-path", PREFIX + "/") as server:
        for prefix in (PREFIX, ""):
            for path in ("/score", "/score/"):
                assert http.post(server.url + prefix + path, json={"data": [[1, 2, 3]]}).json() == [321.0]
            for path in ("/", "/docs", "/health/ready"):
                assert http.get(server.url + prefix + path).status_code == 200, prefix + path
            assert http.get(server.url + prefix + "/openapi.json").json()["servers"] == [{"url": PREFIX}]
            assert http.get(server.url + prefix + "/swagger.json").json()["basePath"] == PREFIX
        assert http.get(server.url + PREFIX).text == "Healthy"
        other = http.get(server.url + "/openapi.json", headers={"x-forwarded-prefix": "/other"})
        assert other.json()["servers"] == [{"url": "/other"}]
        for path in (PREFIX + "s/score", PREFIX + PREFIX + "/score", "/models/score"):
            assert http.get(server.url + path).status_code == 404, path
