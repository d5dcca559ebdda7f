"""Launching: one process for each GPU of a machine, in the environment that torchrun would give them.

torchrun itself may start the same command, on several machines too. It is not used here because it ends with a
traceback and code 1 where SIGTERM has ended all processes well.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

_POLL_S = 0.1
_PATIENCE_S = 60.0  # for the others to end, after one has failed


def launch(arguments: Sequence[str], count: int) -> int:
    """Run `python -m training` with these arguments in `count` processes; return 0, or the code of the first to fail.

    SIGTERM and Ctrl-C are passed on. Where a process fails, the others are ended.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    # PyTorch would else start a thread for each core in each process
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    # as we were started: from an installation, nothing is imported from the current folder
    safe = ["-P"] if sys.flags.safe_path else []
    children = [
        subprocess.Popen(
            [sys.executable, *safe, "-m", "training", *arguments],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": threads},
        )
        for rank in range(count)
    ]

    def pass_on(number: int, frame: FrameType | None) -> None:
        # Ctrl-C reaches the children by itself, as they share the terminal
        if number == signal.SIGTERM:
            _each(children, signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return _first_failure(children)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_failure(children: Sequence["subprocess.Popen[bytes]"]) -> int:
    failed = 0
    deadline = None
    while any(child.poll() is None for child in children):
        codes = [child.returncode for child in children if child.returncode]
        if codes and not failed:
            failed, deadline = codes[0], time.monotonic() + _PATIENCE_S
            _each(children, signal.SIGTERM)
        if deadline is not None and time.monotonic() > deadline:
            _each(children, signal.SIGKILL)
        time.sleep(_POLL_S)
    return failed or next((child.returncode for child in children if child.returncode), 0)


def _each(children: Sequence["subprocess.Popen[bytes]"], number: int) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(number)
