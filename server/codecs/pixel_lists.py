"""UINT8 tensors in JSON, whose `data` may be millions of numbers: parsed piece by piece, into bytes."""

from typing import Any

import msgspec

from server.codecs.json_text import has_few_values, parse_json, too_many_values, without_mark
from server.errors import ServiceError

# the interpreter is held for about 4 ms to parse as many bytes
_PIECE_BYTES = 2**20
_NO_NUMBER = b"[] \t\r\n"
_absent = msgspec.Raw()


class _UnparsedTensor(msgspec.Struct):
    name: msgspec.Raw = _absent
    shape: msgspec.Raw = _absent
    datatype: msgspec.Raw = _absent
    parameters: msgspec.Raw = _absent
    data: msgspec.Raw = _absent


class _UnparsedRequest(msgspec.Struct):
    """A request of one tensor. The decoder skips all other keys, and makes no values of what is Raw."""

    inputs: tuple[_UnparsedTensor]
    id: msgspec.Raw = _absent
    outputs: msgspec.Raw = _absent
    parameters: msgspec.Raw = _absent


def parse_with_pixels(text: bytes) -> Any:
    """Parse a request as `parse_json` does, but accept any number of values in the `data` of its one UINT8 tensor.

    Where there are too many for `parse_json`, `data` becomes bytes. ServiceError `input_invalid` where one of them is
    no whole number from 0 to 255.
    """
    text = without_mark(text)
    if has_few_values(text):
        return parse_json(text)
    try:
        request = msgspec.json.decode(text, type=_UnparsedRequest)
    except (ValueError, RecursionError):
        raise too_many_values() from None
    (tensor,) = request.inputs
    parsed = _parsed(tensor, "name", "shape", "datatype", "parameters")
    if parsed.get("datatype") != "UINT8":
        raise too_many_values()
    parsed["data"] = uint8_values(bytes(tensor.data))
    return {**_parsed(request, "id", "outputs", "parameters"), "inputs": [parsed]}


def uint8_values(text: bytes) -> bytes:
    """Return the numbers in nested JSON lists, each a byte; ServiceError `input_invalid` where one does not fit."""
    pieces, at = [], 0
    while at < len(text):
        end = text.find(b",", at + _PIECE_BYTES)
        end = len(text) if end < 0 else end
        piece = text[at:end].translate(None, _NO_NUMBER)
        try:
            pieces.append(bytes(msgspec.json.decode(b"[%s]" % piece, type=list[int])))
        except ValueError:
            raise not_uint8() from None
        at = end + 1
    return b"".join(pieces)


def not_uint8() -> ServiceError:
    """Return the error of a UINT8 tensor with other values."""
    return ServiceError("input_invalid", "`data` of UINT8 are whole numbers from 0 to 255.")


def _parsed(struct: _UnparsedTensor | _UnparsedRequest, *names: str) -> dict[str, Any]:
    raw = {name: bytes(getattr(struct, name)) for name in names}
    return {name: parse_json(text) for name, text in raw.items() if text}
