"""HAProxy before the server: each of its usual health checks, and a stop that loses no request."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.proxies.proxy_process import ProxyProcess
from benchmarks.proxies.refusals import SCORING_KEY
from tests.support import http
from tests.support.folders.user_scripts import write_scripts
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer
from tests.support.system_tools import system_tool

CHECK = "option httpchk GET /health/ready"
KEY = {"authorization": f"Bearer {SCORING_KEY}"}


@pytest.fixture(scope="module", autouse=True)
def haproxy() -> Iterator[None]:
    system_tool("haproxy")
    yield


@pytest.mark.parametrize(
    ("check", "route"),
    [
        ("option httpchk", "/"),
        ("option httpchk HEAD /health/ready", "/health/ready"),
        (CHECK, "/health/ready"),
    ],
)
def test_the_server_is_up_for_every_health_check(keyed_server: LiveServer, check: str, route: str) -> None:
    def checks(code: str) -> float:
        return keyed_server.metric("sightglass_requests_total", route=route, code=code)

    before = checks("200")
    with ProxyProcess("haproxy.cfg", keyed_server.port, {CHECK: check, "inter 1s": "inter 100ms"}) as proxy:
        keyed_server.wait_for(lambda: checks("200") >= before + 3)
        image = {"content": encoded(painted(1, 80, 80), "JPEG"), "headers": KEY | {"content-type": "image/jpeg"}}
        assert http.post(proxy.url + "/score", **image).status_code == 200  # type: ignore[arg-type]
        assert "DOWN" not in proxy.log()


@pytest.mark.parametrize("check", ["option httpchk", CHECK])
def test_a_stop_loses_no_request(tmp_path: Path, check: str) -> None:
    folder = write_scripts(tmp_path)
    script = ("--entry-script", folder / "score.py", "--model-dir", folder / "model", "--drain-delay-ms", "1500")
    statuses: Counter[int] = Counter()
    ended = threading.Event()

    def ask(url: str) -> None:
        while not ended.is_set():
            statuses[http.post(url + "/score", json={"data": [[1, 2, 3]]}).status_code] += 1

    with (
        LiveServer(*script) as server,
        ProxyProcess("haproxy.cfg", server.port, {CHECK: check, "inter 1s": "inter 100ms"}) as proxy,
    ):
        clients = [threading.Thread(target=ask, args=(proxy.url,)) for _ in range(4)]
        for client in clients:
            client.start()
        server.wait_for(lambda: statuses[200] > 50)
        assert server.stop() == 0
        time.sleep(0.2)
        ended.set()
        for client in clients:
            client.join()
        assert "DOWN" in proxy.log(), "HAProxy saw the server leave"
    assert statuses.keys() == {200, 503}, "503 is HAProxy's own, as there is no other server"
