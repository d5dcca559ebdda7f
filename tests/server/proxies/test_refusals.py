"""Refusals that come before the body was read reach clients, directly and through real proxies."""

import pytest

from benchmarks.proxies.proxy_process import ProxyProcess
from benchmarks.proxies.refusals import BODY_BYTES, described, lost_refusals
from tests.support.servers.live_server import LiveServer
from tests.support.system_tools import system_tool

_COUNT = 100


@pytest.mark.parametrize("size", BODY_BYTES)
def test_a_client_gets_every_refusal(keyed_server: LiveServer, size: int) -> None:
    assert described(lost_refusals(keyed_server.port, _COUNT, size)) == []


@pytest.mark.parametrize("name", ["nginx-bare.conf", "nginx.conf", "nginx-unbuffered.conf", "haproxy.cfg"])
def test_a_proxy_passes_every_refusal_on(keyed_server: LiveServer, name: str) -> None:
    system_tool("nginx" if name.startswith("nginx") else "haproxy")
    with ProxyProcess(name, keyed_server.port) as proxy:
        for size in BODY_BYTES:
            assert described(lost_refusals(proxy.port, _COUNT, size)) == [], f"{size} bytes, {proxy.log()}"
