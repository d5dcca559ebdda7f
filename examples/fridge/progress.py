"""One line of progress on a terminal; a new line now and then where the output is a file."""

import sys
import time
from typing import TextIO

WIDTH = 24


class Progress:
    """Counts work that is done and says how long the rest will take at the pace so far.

    A terminal's line is redrawn at most ten times a second; elsewhere a line is added every ten seconds, and at
    the end. `total` may be any measure of work as long as equal parts of it take about equal time.
    """

    def __init__(self, what: str, total: float, stream: TextIO | None = None) -> None:
        self._what, self._total = what, total
        self._stream = stream if stream is not None else sys.stderr
        self._terminal = self._stream.isatty()
        self._pause = 0.1 if self._terminal else 10.0
        self._done = 0.0
        self._start = self._shown = time.monotonic()

    def advance(self, work: float, figures: str = "") -> None:
        """Add finished work; `figures` are what else the line should say, such as the loss."""
        self._done += work
        now = time.monotonic()
        finished = self._done >= self._total
        if finished or now - self._shown >= self._pause:
            self._shown = now
            self._show(now - self._start, finished, figures)

    def _show(self, elapsed: float, finished: bool, figures: str) -> None:
        share = min(self._done / self._total, 1.0)
        bar = "#" * round(WIDTH * share)
        left = 0.0 if finished else elapsed * (1.0 - share) / share
        clock = f"took {_clock(elapsed)}" if finished else f"{_clock(left)} left"
        line = f"{self._what} [{bar:<{WIDTH}}] {share:4.0%}  {clock}{figures and '  ' + figures}"
        if self._terminal:
            self._stream.write(f"\r{line}\x1b[K" + ("\n" if finished else ""))
        else:
            self._stream.write(line + "\n")
        self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
