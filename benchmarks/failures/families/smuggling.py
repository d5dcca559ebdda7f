"""Smuggling: requests that two readers may understand differently, and requests sent before the last reply."""

import socket
import time

from benchmarks.failures.numbered_load import NumberedLoad, numbers
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, Trial

_LINES = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_BODY = b'{"number": 1}'
# what would be run as a request of its own, if the server took the body before it to be shorter than a proxy does
_HIDDEN = 666
_SECOND = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{"number": %d}' % _HIDDEN
_CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY)
_LENGTH = b"Content-Length: %d\r\n" % len(_BODY)

# each ambiguous: it has to be refused, or answered once and read to the end of what a strict reader reads
_VARIANTS = {
    "two lengths": _LINES + _LENGTH + b"Content-Length: 0\r\n\r\n" + _BODY + _SECOND,
    "two lengths in a line": _LINES + b"Content-Length: %d, 0\r\n\r\n" % len(_BODY) + _BODY + _SECOND,
    "length with a sign": _LINES + b"Content-Length: +%d\r\n\r\n" % len(_BODY) + _BODY + _SECOND,
    "negative length": _LINES + b"Content-Length: -1\r\n\r\n" + _BODY + _SECOND,
    "length in hexadecimal": _LINES + b"Content-Length: 0x%x\r\n\r\n" % len(_BODY) + _BODY + _SECOND,
    "length with an underscore": _LINES + b"Content-Length: 1_3\r\n\r\n" + _BODY + _SECOND,
    "length and chunks": _LINES + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNKED + _SECOND,
    "chunks and length": _LINES + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + _CHUNKED + _SECOND,
    "chunked twice": _LINES + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNKED + _SECOND,
    "chunked, then identity": _LINES + b"Transfer-Encoding: chunked, identity\r\n\r\n" + _CHUNKED + _SECOND,
    "an unknown coding": _LINES + b"Transfer-Encoding: xchunked\r\n" + _LENGTH + b"\r\n" + _BODY + _SECOND,
    "chunked by another blank": _LINES + b"Transfer-Encoding:\x0bchunked\r\n" + _LENGTH + b"\r\n" + _BODY + _SECOND,
    "a blank before the colon": _LINES + b"Transfer-Encoding : chunked\r\n" + _LENGTH + b"\r\n" + _BODY + _SECOND,
    "a folded header": _LINES + b"Transfer-Encoding:\r\n chunked\r\n" + _LENGTH + b"\r\n" + _CHUNKED + _SECOND,
    "a bare line feed": _LINES + b"X: a\nTransfer-Encoding: chunked\r\n" + _LENGTH + b"\r\n" + _BODY + _SECOND,
    "a bare carriage return": _LINES + b"X: a\rTransfer-Encoding: chunked\r\n" + _LENGTH + b"\r\n" + _BODY + _SECOND,
    "a null in a header": _LINES + b"X: a\0b\r\n" + _LENGTH + b"\r\n" + _BODY + _SECOND,
    "a chunk size with a sign": _LINES + b"Transfer-Encoding: chunked\r\n\r\n+d\r\n" + _BODY + b"\r\n0\r\n\r\n",
    "a chunk size with 0x": _LINES + b"Transfer-Encoding: chunked\r\n\r\n0xd\r\n" + _BODY + b"\r\n0\r\n\r\n",
    "a chunk size without end": _LINES + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 10_000 + b"d\r\n" + _BODY,
    "a huge chunk size": _LINES + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n" + _BODY,
    "a chunk longer than told": _LINES + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + _BODY + b"\r\n0\r\n\r\n",
    "two hosts": _LINES + b"Host: y\r\n" + _LENGTH + b"\r\n" + _BODY,
    "no host": b"POST /score HTTP/1.1\r\n" + _LENGTH + b"\r\n" + _BODY,
    "no version": b"POST /score\r\n" + _LENGTH + b"\r\n" + _BODY,
    "version 3": b"POST /score HTTP/3.0\r\nHost: x\r\n" + _LENGTH + b"\r\n" + _BODY,
    "chunks in HTTP/1.0": b"POST /score HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + _LENGTH + b"\r\n" + _CHUNKED,
}  # fmt: skip
# whose framing is beyond doubt once the last header is ignored: what follows is a request of its own
_PLAIN = {"a null in a header", "an unknown coding", "two hosts", "no host", "version 3", "no version"}
_PIPELINED = 50


def _smuggling(trial: Trial) -> Finding:
    with trial.serve_script() as server:
        with NumberedLoad(server.port, numbers(), 1, pause_s=0.02) as load:
            replies = {name: _replies(server.port, variant) for name, variant in _VARIANTS.items()}
        ran = trial.recorded()
        errors = [name for name, statuses in replies.items() if any(status >= 500 for status in statuses)]
        silent = [name for name, statuses in replies.items() if not statuses]
        twice = [name for name, statuses in replies.items() if statuses.count(200) > 1 and name not in _PLAIN]
        refused = sum(statuses[:1] in ([400], [411], [413], [501], [505], [431]) for statuses in replies.values())
        met = not errors and not twice and load.lost() == 0
        seen = (
            f"{refused} of {len(replies)} refused; closed without a reply: {_listed(silent)}; "
            f"answered by 5xx: {_listed(errors)}; a hidden request run: {_listed(twice)} "
            f"({ran.count(_HIDDEN)} in all)"
        )
        return Finding(met, seen, load.lost(), len(load.exchanges))


def _pipelining(trial: Trial) -> Finding:
    """Requests sent on one connection without waiting: every reply, in order."""
    with trial.serve_script() as server:
        bodies = [b'{"number": %d}' % number for number in range(_PIPELINED)]
        whole = b"".join(_LINES + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
        content = _received(server.port, whole, _PIPELINED)
        replies = [part.partition(b"\r\n\r\n")[2] for part in content.split(b"HTTP/1.1 ")[1:]]
        expected = [b"%d" % number for number in range(_PIPELINED)]
        ran = trial.recorded()
        met = replies == expected and ran == list(range(_PIPELINED))
        order = "in order" if replies == expected else "not all, or not in order"
        seen = f"{len(replies)} replies, {order}; run {len(ran)}"
        return Finding(met, seen, _PIPELINED - len(set(replies) & set(expected)), _PIPELINED)


def _replies(port: int, content: bytes) -> list[int]:
    """Send raw bytes; return the statuses of the replies within two seconds."""
    parts = _received(port, content, 2).split(b"HTTP/1.1 ")[1:]
    return [int(part[:3]) for part in parts if part[:3].isdigit()]


def _received(port: int, content: bytes, replies: int) -> bytes:
    """Send raw bytes; return what comes until so many replies are there, the server closes, or two seconds pass."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        try:
            client.sendall(content)
            end = time.monotonic() + 20
            while time.monotonic() < end and (part := client.recv(2**16)):
                received += part
                if received.count(b"HTTP/1.1 ") >= replies:
                    client.settimeout(0.2)
        except OSError:
            pass
    return received


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


FAMILY = FailureFamily(
    "Requests that are read in two ways",
    (
        Scenario(
            f"{len(_VARIANTS)} smuggling variants",
            "refused or answered once, no 5xx, and no hidden request is run where lengths contradict each other",
            _smuggling,
            20,
        ),
        Scenario(
            f"{_PIPELINED} pipelined requests",
            "every reply, in order, each run once",
            _pipelining,
            5,
        ),
    ),
)
