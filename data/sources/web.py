"""Images on the web: fetched within bounds of size and time, and kept until the server says that they changed."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from threading import Timer
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from data.errors import ImageUnavailableError
from data.sources.image_cache import ImageCache
from data.sources.stores import MAX_BYTES, too_large
from settings.excerpt import shortened
from settings.version import product_version

_SILENCE_SECONDS = 15.0  # without a byte
_SECONDS = 120.0  # for an image in all
_BLOCK = 2**16
_MOST_REDIRECTS = 5
_SAFE = "%/:=&?~#+!$,;'@()*[]"  # characters that a URL may have as they are


def fetch_from_web(url: str, cache: ImageCache) -> Path:
    """Return a file with what is at a URL of HTTP or HTTPS, from the cache where the server says that it is the same.

    ImageUnavailableError `image_missing` where the server has nothing or does not answer in time, `image_unreadable`
    where it has too much; OSError where the cache cannot be written.
    """
    entry = cache.entry(url)
    kept = entry.tag()
    headers = {"User-Agent": f"sightglass/{product_version()}", "Accept": "image/*"} | _condition(kept)
    connections = _Connections()
    opener = build_opener(connections, _Redirects(urlsplit(url).hostname))
    end = time.monotonic() + _SECONDS
    try:
        with connections.ended_after(_SECONDS):
            reply = opener.open(Request(quote(url, safe=_SAFE), headers=headers), timeout=_SILENCE_SECONDS)
    except HTTPError as error:
        error.close()
        if error.code == 304 and kept is not None:
            return entry.file(kept)
        raise _unavailable(url, f"the server answers {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise _unavailable(url, str(getattr(error, "reason", None) or error or type(error).__name__)) from None
    with reply:
        if connections.late:  # its headers were cut off, which do not show it
            raise _late(url)
        return entry.keep(_tag_of(reply.headers), _blocks(reply, url, end))


def _condition(kept: str | None) -> dict[str, str]:
    kind, _, value = (kept or "").partition(" ")
    return {{"etag": "If-None-Match", "date": "If-Modified-Since"}[kind]: value} if value else {}


def _tag_of(headers: Message) -> str:
    if tag := headers["ETag"]:
        return f"etag {tag}"
    if date := headers["Last-Modified"]:
        return f"date {date}"
    return "none"


def _blocks(reply: Any, url: str, end: float) -> Iterator[bytes]:
    expected, total = reply.length, 0
    if expected is not None and expected > MAX_BYTES:
        raise too_large(url)
    try:
        while block := reply.read1(_BLOCK):
            total += len(block)
            if total > MAX_BYTES:
                raise too_large(url)
            if time.monotonic() > end:
                raise _late(url)
            yield block
    except (OSError, HTTPException) as error:
        raise _unavailable(url, str(error) or type(error).__name__) from None
    if expected is not None and total < expected:
        raise _unavailable(url, f"it breaks off after {total} of {expected} bytes")


class _Connections(HTTPHandler, HTTPSHandler):
    """Ends connections whose server is not silent, and yet does not come to the end of its headers."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[HTTPConnection] = []
        self.late = False

    @contextmanager
    def ended_after(self, seconds: float) -> Iterator[None]:
        timer = Timer(seconds, self._end)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def do_open(self, http_class: Any, req: Request, **options: Any) -> HTTPResponse:
        def connection(host: str, **more: Any) -> HTTPConnection:
            made: HTTPConnection = http_class(host, **more)
            self._made.append(made)
            return made

        return super().do_open(connection, req, **options)

    def _end(self) -> None:
        self.late = True
        for made in self._made:
            if made.sock is not None:
                with suppress(OSError):
                    made.sock.shutdown(socket.SHUT_RDWR)


class _Redirects(HTTPRedirectHandler):
    """Follows a few redirects, but none to a private network: a public server would choose what is read there."""

    max_redirections = _MOST_REDIRECTS

    def __init__(self, named: str | None) -> None:
        self._named = named

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        with ExitStack() as unless_followed:
            unless_followed.callback(fp.close)
            parts = urlsplit(newurl)
            if parts.scheme not in ("http", "https"):
                raise ValueError(f"it redirects to {shortened(newurl, 200)}, and only http and https are followed")
            if parts.hostname != self._named and _is_private(parts.hostname or ""):
                raise ValueError(f"it redirects to {shortened(newurl, 200)}, which is in a private network")
            unless_followed.pop_all()
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_private(host: str) -> bool:
    found = {entry[4][0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return any(not ipaddress.ip_address(str(address).partition("%")[0]).is_global for address in found)


def _late(url: str) -> ImageUnavailableError:
    return _unavailable(url, f"it was not there after {_SECONDS:.0f} s")


def _unavailable(url: str, reason: str) -> ImageUnavailableError:
    return ImageUnavailableError(
        "image_missing", f"{shortened(url, 300)} cannot be had: {shortened(reason.rstrip('.'), 300)}."
    )
