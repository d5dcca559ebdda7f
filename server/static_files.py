"""StaticFile: a file of a web page, held in memory with its compressed form, and the headers that all pages have."""

import gzip
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from fastapi import Request, Response

MEDIA_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
PAGE_HEADERS: Mapping[str, str] = {
    # nothing from another origin, no script or style within the page; data: and blob: are images of the page itself
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self)",
}
CURRENT = "no-cache"  # a browser asks whether its copy is current, as it may not be after an update of the server
FOR_EVER = "public, max-age=31536000, immutable"  # for a name that no other content ever gets

_NOT_WANTED = re.compile(r"q=0(\.0*)?")


class StaticFile:
    """Content that never changes. It is compressed once, where that makes it smaller."""

    def __init__(self, content: bytes, media_type: str) -> None:
        compressed = gzip.compress(content, mtime=0)
        self.content = content
        self.compressed = compressed if len(compressed) < len(content) else None
        self._media_type = media_type
        self._etag = sha256(content).hexdigest()[:16]

    @classmethod
    def read(cls, path: Path) -> "StaticFile":
        """Read a file. Its suffix, one of MEDIA_TYPES, gives the media type."""
        return cls(path.read_bytes(), MEDIA_TYPES[path.suffix])

    def response(self, request: Request, cache_control: str) -> Response:
        """Return it, compressed for clients that take that, or 304 to one that has it already."""
        compressed = self.compressed if takes_gzip(request) else None
        etag = f'"{self._etag}{"" if compressed is None else "-gzip"}"'
        headers = {**PAGE_HEADERS, "cache-control": cache_control, "etag": etag, "vary": "accept-encoding"}
        # proxies that compress, or the opposite, pass other forms of the tag on
        if self._etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if compressed is None:
            return Response(self.content, headers=headers, media_type=self._media_type)
        return Response(compressed, headers=headers | {"content-encoding": "gzip"}, media_type=self._media_type)


def takes_gzip(request: Request) -> bool:
    """Whether the client of a request reads bodies that are compressed by gzip."""
    for part in request.headers.get("accept-encoding", "").split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip().lower() == "gzip":
            return _NOT_WANTED.fullmatch(parameters.strip()) is None
    return False
