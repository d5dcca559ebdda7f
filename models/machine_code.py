"""Compiles loops over pixels to machine code that runs without the interpreter lock."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile `function` at its first call; keep the code beside the file or in the user's cache for later runs."""
    try:
        compiler: Any = njit(nogil=True, cache=True)
        result: F = compiler(function)
    except RuntimeError:  # neither place is writable, as in a container with a read-only file system
        compiler = njit(nogil=True)
        result = compiler(function)
    return result
