"""Ends the process of a script when its parent ends, which holds the pipe at standard input open."""

import contextlib
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """End this process and all processes that it starts when the parent ends. Makes standard input empty."""
    pipe = os.dup(0)
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_watch, args=(pipe,), name="pipe", daemon=True).start()
    if sys.platform == "linux":
        # the thread does not run while a script holds the interpreter lock, as in a long regular expression
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(pipe: int) -> None:
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)
