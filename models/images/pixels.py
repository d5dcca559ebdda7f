"""The pixels of an image where Pillow keeps them, without a copy.

By the Arrow C data interface, https://arrow.apache.org/docs/format/CDataInterface.html, of Pillow since 11.3.
"""

import ctypes
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, _imaging

# Pillow would keep large images in several pieces, which no single array can show
_imaging.set_use_block_allocator(1)

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class _ArrowArray(ctypes.Structure):
    """The part of `struct ArrowArray` that is read here."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.POINTER(ctypes.c_void_p)),
    ]


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return the memory of an image of mode RGB or RGBX: uint8 [H, 4 * W], red, green, blue and a byte without meaning.

    It is the image's own memory, which must not be written to. It lives as long as the array.
    """
    try:
        _, capsule = image.__arrow_c_array__()
    except ValueError:  # made before the block allocator was chosen
        _, capsule = image.copy().__arrow_c_array__()
    pixels = _ArrowArray.from_address(_pointer(capsule, b"arrow_array")).children[0]
    start = _ArrowArray.from_address(pixels).buffers[1]
    memory: Any = (ctypes.c_uint8 * (4 * image.width * image.height)).from_address(start or 0)
    memory.capsule = capsule  # keeps the memory alive
    return np.frombuffer(memory, np.uint8).reshape(image.height, 4 * image.width)


def rgb_array(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an image: uint8 [H, W, 3], a copy for the mode RGB, the image's own memory for RGBX."""
    if image.mode == "RGBX":
        return pixels_of(image).reshape(image.height, image.width, 4)[:, :, :3]
    return np.array(image)
