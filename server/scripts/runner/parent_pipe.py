"""The lifeline of a script's process: standard input is a pipe that the host holds, and whose end is its end too."""

import contextlib
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def end_with_host() -> None:
    """From here on, end when the host does, with all processes that the script starts; standard input is empty."""
    lifeline = os.dup(0)
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()
    if sys.platform == "linux":
        # a script that never lets go of the interpreter, as in a long regular expression, stops that thread
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)
