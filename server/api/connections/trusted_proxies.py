"""TrustedProxies: which proxies are believed, and what they say about the clients behind them."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from starlette.types import Scope

from settings.server import path_prefix

_FOR, _PROTO, _PREFIX = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-prefix"
_SCHEMES = ("http", "https")
_MOST_HOPS = 32
# some proxies add a port; a zone of IPv6 could hold any text
_HOP = re.compile(r"\[([\dA-Fa-f:.]+)](?::\d+)?|(\d+\.\d+\.\d+\.\d+)(?::\d+)?|([\dA-Fa-f:.]+)")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """Reads the X-Forwarded headers of requests that come from trusted addresses, and of no others."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """Trust these addresses and networks, or all with `*`."""
        self._all = "*" in allowed
        self._networks = [ipaddress.ip_network(each, strict=False) for each in allowed if each != "*"]
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)

    def client(self, scope: Scope) -> str:
        """Return the address of the client: the last one of X-Forwarded-For that is no trusted proxy's.

        What is no address ends the search, as does the end of the list.
        """
        found = _peer(scope)
        values = [value for name, value in scope["headers"] if name == _FOR]
        if not values or not self._trusts(found):
            return found
        hops = b",".join(values).decode("latin-1")
        for hop in reversed(hops.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
            address = _address(hop)
            if address is None:
                break
            found = str(address)
            if not self._trusts(found):
                break
        return found

    def scheme(self, scope: Scope) -> str:
        """Return the scheme of the client's request as a trusted proxy says it: http, https, or nothing."""
        scheme = self._last(scope, _PROTO).lower()
        return scheme if scheme in _SCHEMES else ""

    def prefix(self, scope: Scope) -> str:
        """Return the path prefix that a trusted proxy removed, such as `/models/fridge`, or nothing."""
        try:
            return path_prefix(self._last(scope, _PREFIX))
        except ValueError:
            return ""

    def _last(self, scope: Scope, header: bytes) -> str:
        """Return the value of a header, that of the nearest proxy where there are several."""
        values = [value for name, value in scope["headers"] if name == header]
        return values[-1].decode("latin-1").strip() if values and self._trusts(_peer(scope)) else ""

    def _is_trusted(self, host: str) -> bool:
        address = _address(host)
        return self._all or (address is not None and any(address in network for network in self._networks))


def _peer(scope: Scope) -> str:
    return _normal(scope["client"][0]) if scope["client"] else ""


@lru_cache(maxsize=1024)
def _normal(host: str) -> str:
    return str(_address(host) or host)


def _address(text: str) -> _Address | None:
    match = _HOP.fullmatch(text.strip())
    try:
        address = ipaddress.ip_address(next(filter(None, match.groups()))) if match else None
    except ValueError:
        return None
    # a socket that listens on both versions sees IPv4 so
    return getattr(address, "ipv4_mapped", None) or address
