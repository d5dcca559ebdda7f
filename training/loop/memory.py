"""Memory: what keeps a training on a CPU from giving memory back that its next step needs again. For glibc only."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_BYTES = 2**30


def keep_freed_memory() -> None:
    """Have glibc keep freed tensors: returning them to the system costs a tenth of the training time in page faults."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _BYTES)
        mallopt(_TRIM_THRESHOLD, _BYTES)
