"""Input tensors of the Open Inference Protocol -> images: encoded or as pixels, in JSON or as binary data."""

from collections.abc import Callable, Mapping
from typing import Any

from server.codecs.base64_image import decode_base64
from server.codecs.pixel_lists import not_uint8
from server.codecs.tiff import tiff
from server.errors import ServiceError
from server.ipc.outcome import Failure
from settings.excerpt import excerpt

EXPECTED = (
    "Expected one input named 'image': BYTES of the shape [N], with an encoded image in each element (in JSON as "
    "base64), or UINT8 of the shape [N, H, W, 3]."
)
_DEEPEST = 3  # levels of lists within the outer list of a tensor with four dimensions
_ENCODED = (b"\xff\xd8", b"\x89PNG", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*")


def images_of(tensor: Mapping[str, Any], binary: bytes, check_count: Callable[[int], None]) -> list[bytes | Failure]:
    """Return an encoded file for each image in the input `image`, or why it is none.

    `binary` are the bytes after the JSON. `check_count` raises where there are too many images. ServiceError
    `input_invalid` where the tensor is not of the protocol's form.
    """
    shape, datatype = tensor.get("shape"), tensor.get("datatype")
    if not isinstance(shape, list) or not all(type(side) is int and side >= 0 for side in shape):
        raise ServiceError("input_invalid", f"`shape` is {excerpt(shape)}. {EXPECTED}")
    size = object_or_empty(tensor.get("parameters")).get("binary_data_size")
    if size is not None and size != len(binary):
        raise ServiceError(
            "input_invalid", f"`binary_data_size` is {excerpt(size)}, but {len(binary)} bytes follow the JSON."
        )
    data = binary if size is not None else tensor.get("data")
    if datatype == "BYTES":
        return _encoded(data, shape, check_count)
    if datatype == "UINT8":
        return _pixels(data, shape, check_count)
    raise ServiceError("input_invalid", f"The datatype {excerpt(datatype)} is not accepted. {EXPECTED}")


def _encoded(data: Any, shape: list[int], check_count: Callable[[int], None]) -> list[bytes | Failure]:
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        raise ServiceError("input_invalid", f"The shape of BYTES is {excerpt(shape)}; expected [N] or [N, 1].")
    check_count(shape[0])
    images: list[bytes | Failure]
    if isinstance(data, bytes):
        images = [_from_bytes(each) for each in _elements(data, shape)]
    elif isinstance(data, list):
        values = _flattened(data)
        check_count(len(values))
        # only gRPC has bytes in a list
        images = [_from_bytes(each) if isinstance(each, bytes) else decode_base64(each) for each in values]
    else:
        raise ServiceError("input_invalid", f"`data` is a {type(data).__name__}. {EXPECTED}")
    if len(images) != shape[0] or not images:
        raise ServiceError(
            "input_invalid", f"The tensor has {len(images)} elements, but its shape is {excerpt(shape)}."
        )
    return images


def _from_bytes(element: bytes) -> bytes | Failure:
    if element.startswith(_ENCODED) or not element.isascii():
        return element
    decoded = decode_base64(element.decode())
    return element if isinstance(decoded, Failure) else decoded


def _elements(data: bytes, shape: list[int]) -> list[bytes]:
    """Split binary data of BYTES into elements: each follows its length, four bytes, least significant first."""
    elements: list[bytes] = []
    at = 0
    while at < len(data):
        if len(elements) == shape[0]:
            raise ServiceError("input_invalid", f"The tensor has more elements than its shape, {excerpt(shape)}.")
        length = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + length > len(data):
            raise ServiceError("input_invalid", f"An element of {length} bytes begins {len(data) - at} before the end.")
        elements.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return elements


def _pixels(data: Any, shape: list[int], check_count: Callable[[int], None]) -> list[bytes | Failure]:
    sides = shape if len(shape) == 4 else [1, *shape]
    if len(sides) != 4 or sides[3] != 3 or not all(sides):
        raise ServiceError(
            "input_invalid", f"The shape of UINT8 is {excerpt(shape)}; expected [N, H, W, 3], none of them 0."
        )
    count, height, width, _ = sides
    check_count(count)
    one = height * width * 3
    if not isinstance(data, bytes):
        try:
            data = bytes(_flattened(data)) if isinstance(data, list) else b""
        except (TypeError, ValueError):
            raise not_uint8() from None
    if len(data) != count * one:
        raise ServiceError(
            "input_invalid", f"The tensor has {len(data)} values; the shape {excerpt(shape)} has {count * one}."
        )
    return [tiff(data[at : at + one], width, height) for at in range(0, len(data), one)]


def _flattened(values: list[Any]) -> list[Any]:
    """Return the values of nested lists. Lists nested deeper than a tensor can be are left in place."""
    for _ in range(_DEEPEST):
        if not values or not isinstance(values[0], list):
            break
        values = [value for inner in values if isinstance(inner, list) for value in inner]
    return values


def object_or_empty(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}
