"""nginx before the server: each of the configurations scores, tells who asked, and sets its own limits."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.proxies.proxy_process import CONFIGURATIONS, ProxyProcess
from benchmarks.proxies.refusals import SCORING_KEY
from tests.support import http
from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer
from tests.support.system_tools import system_tool

JPEG = {"content-type": "image/jpeg", "authorization": f"Bearer {SCORING_KEY}"}
IMAGE = encoded(painted(1, 80, 80), "JPEG")


@pytest.fixture(scope="module", autouse=True)
def nginx() -> Iterator[None]:
    system_tool("nginx")
    yield


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-bare.conf", "nginx-unbuffered.conf"])
def test_every_configuration_scores(keyed_server: LiveServer, name: str) -> None:
    with ProxyProcess(name, keyed_server.port) as proxy, http.Client() as client:
        for _ in range(20):
            assert client.post(proxy.url + "/score", content=IMAGE, headers=JPEG).status_code == 200
        # 3 MB of metadata, which nginx would refuse by default
        large = IMAGE[:2] + b"\xff\xfe\xff\xff" + bytes(65533)
        image = large[:2] + large[2:] * 46 + IMAGE[2:]
        assert client.post(proxy.url + "/score", content=image, headers=JPEG).status_code == 200
        ours = client.post(proxy.url + "/score", content=IMAGE, headers=JPEG | {"x-request-id": f"through-{name}"})
        assert ours.headers["x-request-id"] == f"through-{name}"


def test_the_log_names_the_client_of_a_proxy(keyed_server: LiveServer) -> None:
    with ProxyProcess("nginx.conf", keyed_server.port) as proxy:
        headers = {"x-request-id": "forwarded", "x-forwarded-for": "203.0.113.9"}
        assert http.post(proxy.url + "/nothing", headers=headers).status_code == 404
    keyed_server.wait_for(lambda: "request_id=forwarded" in keyed_server.log())
    (line,) = [line for line in keyed_server.log().splitlines() if "request_id=forwarded" in line]
    assert " client=203.0.113.9 " in line


def test_clients_may_use_tls(keyed_server: LiveServer, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(certificate))
    command = [system_tool("openssl"), "req", "-x509", "-nodes", "-newkey", "rsa:2048", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    changes = {"/etc/ssl/certs/sightglass.pem": str(certificate), "/etc/ssl/private/sightglass.key": str(key)}
    with ProxyProcess("nginx-tls.conf", keyed_server.port, changes) as proxy:
        url, trust = proxy.url.replace("http:", "https:"), ssl.create_default_context(cafile=certificate)
        with httpx.Client(verify=trust, timeout=60) as client:
            assert client.post(url + "/score", content=IMAGE, headers=JPEG).status_code == 200
            assert client.get(url + "/swagger.json").json()["schemes"] == ["https"]
            assert client.get(url + "/docs/").headers["location"] == "../docs"


def test_the_page_on_proxies_names_every_configuration() -> None:
    page = (ROOT / "docs/proxies.md").read_text()
    assert [file.name for file in CONFIGURATIONS.iterdir() if f"(../deploy/proxies/{file.name})" not in page] == []
