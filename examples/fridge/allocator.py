"""Keeps memory that training frees, where the C library is glibc: each step asks for as much again at once."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_BYTES = 2**30


def keep_freed_memory() -> None:
    """Stop handing every large tensor back to the system, which costs a tenth of the training time in page faults."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _BYTES)
        mallopt(_TRIM_THRESHOLD, _BYTES)
