"""Heartbeat: tells the parent every second that the engine is alive, and ends an engine whose device hangs."""

import logging
import threading
import time
from collections.abc import Callable

from server.engine.device import Device
from server.ipc.parent_pipe import ALIVE, BEAT_S, report_to_parent

logger = logging.getLogger(__name__)


class Heartbeat:
    """Beats on a thread of its own. `broken` is called when one step of the device takes longer than `limit_s`.

    Time is counted in beats: while the process is stopped, or gets no core, the device does not compute either. Where
    the process is stopped, or the hung step keeps the interpreter lock, no beat comes, and the parent acts.
    """

    def __init__(self, device: Device, limit_s: float, broken: Callable[[], None]) -> None:
        self._device = device
        self._limit_s = limit_s
        self._broken = broken
        self._step: int | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Start the thread, which ends with the process."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        """Look at the device once, BEAT_S after the last time."""
        step = self._device.step
        self._seconds = self._seconds + BEAT_S if step is not None and step == self._step else 0.0
        self._step = step
        if self._seconds > self._limit_s:
            logger.critical("the device hangs, replacing the engine seconds=%.0f", self._seconds)
            self._broken()

    def _run(self) -> None:
        while True:
            report_to_parent(ALIVE)
            time.sleep(BEAT_S)
            self.beat()
