"""The listening port: opened by the supervisor, shared by the HTTP processes, closed without losing a connection."""

import contextlib
import ctypes
import socket
import struct
import sys

_BACKLOG = 2048
_SO_ATTACH_FILTER = 26  # Linux; the socket module has no name for it
_DROP = struct.pack("HBBI", 0x06, 0, 0, 0)  # a packet filter of one instruction: keep nothing


def open_port(host: str, port: int) -> socket.socket:
    """Listen on an IPv4 or IPv6 address; OSError where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def refuse_newcomers(listening: socket.socket) -> None:
    """Let no further connection reach the port, while those that wait in its queue can still be accepted.

    Closing a port resets whatever the kernel has connected but nobody has accepted yet: requests would be lost. On
    Linux a packet filter keeps new handshakes out first; their clients find the port closed when they try again.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_DROP)
    with contextlib.suppress(OSError):  # a sandbox may forbid it; the port is then closed the ordinary way
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
