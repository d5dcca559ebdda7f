"""Ends the process of a script when its parent ends: standard input is a pipe that the parent holds open."""

import contextlib
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """From here on, end when the parent does, with all processes that the script starts; standard input is empty."""
    pipe = os.dup(0)
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_watch, args=(pipe,), name="pipe", daemon=True).start()
    if sys.platform == "linux":
        # a script that never lets go of the interpreter, as in a long regular expression, stops that thread
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(pipe: int) -> None:
    os.read(pipe, 1)
    os.killpg(0, signal.SIGKILL)
