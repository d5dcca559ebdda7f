"""What headers of proxies say is believed where a trusted proxy says it, and only where it is what it should be."""

from typing import Any

import pytest

from server.api.connections.trusted_proxies import TrustedProxies
from tests.support.servers.live_server import run_server

DEFAULT = ("127.0.0.1", "::1")


def scope(peer: str = "127.0.0.1", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"client": (peer, 1), "headers": pairs}


@pytest.mark.parametrize(
    ("given", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 127.0.0.1", "203.0.113.9"),
        ("203.0.113.9,::ffff:127.0.0.1", "203.0.113.9"),
        ("unknown, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, unknown", "127.0.0.1"),
        ("203.0.113.9, 999.1.1.1", "127.0.0.1"),
        ("fe80::1%eth0 status=200", "127.0.0.1"),
        ("203.0.113.9\x1b[2J", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("1.1.1.1," * 9000 + "203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(given: str, client: str) -> None:
    assert TrustedProxies(DEFAULT).client(scope(x_forwarded_for=given)) == client
    assert TrustedProxies(DEFAULT).client(scope("198.51.100.7", x_forwarded_for=given)) == "198.51.100.7"


@pytest.mark.parametrize(
    ("allowed", "peer", "client"),
    [
        (("10.0.0.0/8",), "10.1.2.3", "203.0.113.9"),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", "203.0.113.9"),
        (("10.0.0.0/8",), "11.1.2.3", "11.1.2.3"),
        (("fd00::/8", "10.0.0.1"), "fd00::9", "203.0.113.9"),
        (("*",), "8.8.8.8", "198.51.100.1"),
        ((), "127.0.0.1", "127.0.0.1"),
    ],
)
def test_networks_are_trusted_as_they_are_set(allowed: tuple[str, ...], peer: str, client: str) -> None:
    proxies = TrustedProxies(allowed)
    assert proxies.client(scope(peer, x_forwarded_for="198.51.100.1, 203.0.113.9")) == client


def test_several_headers_are_one_list() -> None:
    headers = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"203.0.113.9")]
    assert TrustedProxies(DEFAULT).client({"client": ("::1", 1), "headers": headers}) == "203.0.113.9"
    assert TrustedProxies(DEFAULT).client({"client": None, "headers": headers}) == ""


@pytest.mark.parametrize(("given", "scheme"), [("https", "https"), ("HTTP", "http"), ("ftp", ""), ("https,http", "")])
def test_a_scheme_is_one_of_two(given: str, scheme: str) -> None:
    assert TrustedProxies(DEFAULT).scheme(scope(x_forwarded_proto=given)) == scheme
    assert TrustedProxies(DEFAULT).scheme(scope("198.51.100.7", x_forwarded_proto=given)) == ""


@pytest.mark.parametrize("given", ["/models/fridge", "/models/fridge/", "/a", "/v1.0/~me/x_y-z@1"])
def test_a_prefix_is_a_path(given: str) -> None:
    assert TrustedProxies(DEFAULT).prefix(scope(x_forwarded_prefix=given)) == given.rstrip("/")
    assert TrustedProxies(DEFAULT).prefix(scope("198.51.100.7", x_forwarded_prefix=given)) == ""


HOSTILE = [
    "//evil.example",
    "https://evil.example",
    "/a//b",
    "a",
    "/a/../b",
    "/.",
    '/"><script>',
    "/a?b",
    "/a#b",
    "/a b",
]


@pytest.mark.parametrize("given", [*HOSTILE, "/%2e%2e", "/a\\b", "/\xe9", "/" + "a" * 200, "/a, /b", "/"])
def test_what_is_no_path_is_no_prefix(given: str) -> None:
    assert TrustedProxies(DEFAULT).prefix(scope(x_forwarded_prefix=given)) == ""


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("--root-path", "//evil.example", "expected a path such as /models/fridge"),
        ("--root-path", "models", "expected a path such as /models/fridge"),
        ("--forwarded-allow-ips", "10.0.0.0/33", "expected *, or addresses and networks such as 10.0.0.0/8"),
        ("--forwarded-allow-ips", "127.0.0.1,proxy", "expected *, or addresses and networks such as 10.0.0.0/8"),
    ],
)
def test_settings_that_are_none_are_refused_at_the_start(flag: str, value: str, expected: str) -> None:
    done = run_server("--model", "/none", flag, value)
    assert done.returncode == 2
    assert f"{flag} is {value!r}; {expected}" in done.stderr
