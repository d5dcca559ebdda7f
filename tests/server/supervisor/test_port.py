"""The port: one or both versions of the internet protocol, and its address as a URL has it."""

import socket
from pathlib import Path

import pytest

from server.supervisor.port import address_of, open_port, reserve_port
from tests.support.folders.user_scripts import write_scripts
from tests.support.raw_connection import RawConnection
from tests.support.servers.live_server import LiveServer

_NO_IPV6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")


@pytest.mark.parametrize(
    ("host", "reached", "shown"),
    [
        ("127.0.0.1", {"127.0.0.1"}, "127.0.0.1"),
        ("0.0.0.0", {"127.0.0.1"}, "0.0.0.0"),
        ("localhost", {"127.0.0.1"}, "127.0.0.1"),
        pytest.param("::1", {"::1"}, "[::1]", marks=_NO_IPV6),
        pytest.param("::", {"127.0.0.1", "::1"}, "[::]", marks=_NO_IPV6),
        pytest.param("0:0:0:0:0:0:0:0", {"127.0.0.1", "::1"}, "[::]", marks=_NO_IPV6),
    ],
)
def test_the_addresses_that_a_host_stands_for(host: str, reached: set[str], shown: str) -> None:
    with open_port(host, 0) as listening:
        port = listening.getsockname()[1]
        assert address_of(listening) == f"{shown}:{port}"
        assert {address for address in ("127.0.0.1", "::1") if _is_reached(address, port)} == reached


def _is_reached(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", pytest.param("::", marks=_NO_IPV6)])
def test_a_reserved_port_is_of_those_who_share_it(host: str) -> None:
    with reserve_port(host, 0) as reserved:
        port = reserved.getsockname()[1]
        for take in (open_port, reserve_port):
            with pytest.raises(OSError, match="in use"):
                take(host, port)
        assert not _is_reached("127.0.0.1", port), "it does not listen"
        with _sharing(reserved, port), _sharing(reserved, port):
            assert _is_reached("127.0.0.1", port)
            with pytest.raises(OSError, match="in use"):
                reserve_port(host, port)
    with open_port("127.0.0.1", 0) as listening, pytest.raises(OSError, match="in use"):
        reserve_port(host, listening.getsockname()[1])


def _sharing(reserved: socket.socket, port: int) -> socket.socket:
    """Listen at a reserved port as the library of gRPC does."""
    sharing = socket.socket(reserved.family)
    sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sharing.bind((reserved.getsockname()[0], port))
    sharing.listen()
    return sharing


@_NO_IPV6
def test_a_server_of_both_versions_says_its_url(tmp_path: Path) -> None:
    folder = write_scripts(tmp_path)
    with LiveServer("--entry-script", folder / "headers.py", "--host", "::", ready_within_s=0) as server:
        server.wait_for(lambda: server.probe("/health/live") == 200)
        assert server.url.startswith("http://[::]:")
        port = server.url.rpartition(":")[2]
        for host in ("127.0.0.1", "[::1]"):
            with RawConnection(f"{host}:{port}") as connection:
                connection.send(b"GET /health/live HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())
                assert connection.reply().status == 200
