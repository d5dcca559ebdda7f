"""Multipart forms (https://www.rfc-editor.org/rfc/rfc7578) -> their files, from a complete body.

A form that ends too early is refused: otherwise the reply would silently lack the files that are missing.
"""

import re

from server.errors import ServiceError

# length and characters by https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
_LONGEST_BOUNDARY = 70
_BOUNDARY = re.compile(
    r""";\s*boundary\s*=\s*("[\w'()+,./:=? -]+"|[\w'()+,./:=?-]+)\s*(?:;|$)""", re.ASCII | re.IGNORECASE
)
_FILE = re.compile(rb"^content-disposition\s*:[^\r\n]*;\s*filename\*?\s*=", re.IGNORECASE | re.MULTILINE)
_EMPTY_NAME = re.compile(rb""";\s*filename\*?\s*=\s*(?:""|[\w-]+'')?\s*(?:;|\r|$)""", re.IGNORECASE)
_END_OF_LINE = b"\r\n"
_MOST_PARTS = 2**16
_LONGEST_HEAD = 2**14


def form_files(data: bytes, content_type: str) -> list[bytes]:
    """Return the content of each file, in order; ServiceError `form_invalid`.

    A part with a file name is a file, also with an empty one. Browsers send a part with an empty name and no content
    for a field that nobody chose a file for (https://html.spec.whatwg.org/#constructing-entry-list): that is none.
    """
    delimiter = b"--" + _boundary(content_type)
    if data.startswith(delimiter):
        at = 0
    elif (found := data.find(_END_OF_LINE + delimiter)) >= 0:
        at = found + len(_END_OF_LINE)
    else:
        raise _invalid("its boundary is nowhere in it")
    files: list[bytes] = []
    parts = 0
    while not data.startswith(b"--", at + len(delimiter)):
        start = data.find(_END_OF_LINE, at + len(delimiter))
        end = data.find(_END_OF_LINE + delimiter, start)
        if start < 0 or end < 0:
            raise _invalid("it ends before its last boundary")
        if data[at + len(delimiter) : start].strip(b" \t"):
            raise _invalid("a line begins with its boundary and goes on")
        head = data.find(2 * _END_OF_LINE, start, end + len(_END_OF_LINE))
        if head < 0:
            raise _invalid("a part has no empty line after its headers")
        if head - start > _LONGEST_HEAD:
            raise _invalid(f"the headers of a part have more than {_LONGEST_HEAD} bytes")
        if _FILE.search(data, start + len(_END_OF_LINE), head):
            content = data[head + 2 * len(_END_OF_LINE) : end]
            if content or not _EMPTY_NAME.search(data, start, head):
                files.append(content)
        if (parts := parts + 1) == _MOST_PARTS:
            raise _invalid(f"it has {_MOST_PARTS} parts or more")
        at = end + len(_END_OF_LINE)
    return files


def _boundary(content_type: str) -> bytes:
    found = _BOUNDARY.search(content_type)
    boundary = found[1].strip('"') if found else ""
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise _invalid("its content type names no boundary")
    return boundary.encode()


def _invalid(why: str) -> ServiceError:
    return ServiceError("form_invalid", f"The multipart form cannot be read: {why}.")
