"""A multipart form with one or more files -> a JSON array, as in version 2 of the hosted contract."""

from server.errors import ServiceError
from server.protocol import Protocol, json_array
from server.scoring import Cell


def _read(files: list[bytes]) -> list[Cell]:
    if not files:
        raise ServiceError("form_invalid", "The form holds no file. Send each picture as a file field, any name.")
    return list(files)


PROTOCOL = Protocol("form", lambda content: isinstance(content, list), _read, json_array)
