"""The ports: the supervisor opens them, HTTP processes share them, and closing that of HTTP loses no connection."""

import contextlib
import ctypes
import ipaddress
import socket
import struct
import sys

_BACKLOG = 2048
_SO_ATTACH_FILTER = 26  # Linux; the socket module has no name for it
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # a packet filter of one instruction: keep nothing


def open_port(host: str, port: int) -> socket.socket:
    """Listen on an IPv4 or IPv6 address; `::` is all of both. Raises OSError where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family == socket.AF_INET6 and _is_unspecified(host) and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)


def reserve_port(host: str, port: int) -> socket.socket:
    """Take a port where each process of this user may listen by itself. Raises OSError where another one has it.

    gRPC cannot take over a socket, so each process opens its own (SO_REUSEPORT).
    """
    with open_port(host, port) as free:  # listening finds out whether another one has it, binding alone does not
        family, (host, port) = free.family, free.getsockname()[:2]
        only_ipv6 = family == socket.AF_INET6 and free.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    reserved = socket.socket(family)
    try:
        if family == socket.AF_INET6:
            reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_ipv6)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier server may linger
        reserved.bind((host, port))
        # not before: from here on, only those who share the port so can listen
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        reserved.close()
        raise
    return reserved


def address_of(listening: socket.socket) -> str:
    """Return HOST:PORT as a URL has it."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.IPv6Address(host).is_unspecified
    except ValueError:  # a name
        return False


def refuse_new_connections(listening: socket.socket) -> None:
    """Refuse new connections to the port. Those in its queue can still be accepted.

    Closing a port resets the connections that no process has accepted yet, and their requests would be lost. On Linux
    a packet filter drops new handshakes first. Their clients find the port closed when they try again.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_DROP)
    with contextlib.suppress(OSError):  # where a sandbox forbids it, the port is closed without a filter
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
