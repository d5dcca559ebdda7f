"""Reads forms: their fields, and the files of multipart/form-data (RFC 7578)."""

import io
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from os import PathLike
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl

from server.scripts.runner.multi_dict import Headers, MultiDict


class UploadedFile(io.BytesIO):
    """A file of a form: its bytes, which are read like those of any open file, and its names."""

    def __init__(self, content: bytes, name: str, filename: str, headers: Headers) -> None:
        super().__init__(content)
        self.name = name
        self.filename = filename
        self.headers = headers

    @property
    def stream(self) -> "UploadedFile":
        """The file itself, for scripts that read from this attribute."""
        return self

    @property
    def content_type(self) -> str:
        """The content type that the sender gave."""
        return str(self.headers.get("Content-Type", ""))

    def save(self, target: "str | PathLike[str] | IO[bytes]") -> None:
        """Write the file to a path or into an open file."""
        if isinstance(target, (str, PathLike)):
            Path(target).write_bytes(self.getvalue())
        else:
            target.write(self.getvalue())


def read_form(content_type: str, body: bytes) -> tuple[MultiDict, MultiDict]:
    """Return the fields and the files of a form. Both are empty where the body is not a complete form."""
    message = Message()
    message["Content-Type"] = content_type
    media_type = message.get_content_type() if content_type else ""
    if media_type == "application/x-www-form-urlencoded":
        return MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)), MultiDict()
    boundary = message.get_boundary()
    if media_type != "multipart/form-data" or not boundary:
        return MultiDict(), MultiDict()
    fields, files = [], []
    for head, content in _parts(body, boundary.encode("latin-1", "replace")):
        name = head.get_param("name", header="content-disposition")
        filename = head.get_filename()
        if not isinstance(name, str):
            continue
        if filename is None:
            fields.append((name, content.decode(errors="replace")))
        else:
            headers = Headers((key, str(value)) for key, value in head.items())
            files.append((name, UploadedFile(content, name, filename, headers)))
    return MultiDict(fields), MultiDict(files)


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[Message, bytes]]:
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    for part in parts:
        if part.startswith(b"--"):
            return
        # the rest of the line of a boundary is padding; a part without content may end after its headers
        head, _, content = part.partition(b"\r\n")[2].partition(b"\r\n\r\n")
        yield HeaderParser().parsestr(head.decode(errors="replace")), content
