"""ProgressReport: shows long work on a terminal as a bar, and elsewhere as plain lines."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
_LINE_SECONDS = 10.0
_BAR = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt} of {total_fmt}, {remaining} left{postfix}"


@dataclass(slots=True)
class ProgressReport:
    """Where progress is shown; `quiet` shows nothing, as in all but the first process of a run.

    Lines also go to the file `log`, with the time; how far a bar is does not.
    """

    quiet: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    log: Path | None = None

    def line(self, text: str) -> None:
        """Print a line above a bar."""
        self.show(text)
        if self.log is not None and not self.quiet:
            with self.log.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")

    def show(self, text: str) -> None:
        """Print a line that is of use now only."""
        if not self.quiet:
            tqdm.write(text, file=self.stream)
            self.stream.flush()

    def each(self, items: Sequence[Item], what: str) -> Iterator[Item]:
        """Yield the items and show how many are done: a bar on a terminal, elsewhere a line each ten seconds."""
        with self.bar(len(items), what) as bar:
            for item in items:
                yield item
                bar.advance()

    def bar(self, total: int, what: str, done: int = 0) -> "ProgressBar":
        """Return a bar of `total` units of work, of which some are `done` before it begins."""
        return ProgressBar(self, total, what, done)


class ProgressBar:
    """Shows how much of some work is done and how long the rest will take."""

    def __init__(self, report: ProgressReport, total: int, what: str, done: int = 0) -> None:
        self._report, self._total, self._what = report, total, what
        self._terminal = report.stream.isatty() and not report.quiet
        self._bar = tqdm(
            total=total,
            desc=what,
            initial=done,
            file=report.stream,
            leave=False,
            disable=not self._terminal,
            bar_format=_BAR,
        )
        self._done, self._before, self._started = done, done, time.monotonic()
        self._shown = self._started

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.close()

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count work that is done; `note` is shown behind the bar."""
        self._done += units
        if self._terminal:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(units)
            return
        now = time.monotonic()
        if now - self._shown >= _LINE_SECONDS and self._done < self._total:
            self._shown = now
            left = (now - self._started) / (self._done - self._before) * (self._total - self._done)
            self._report.show(f"{self._what}: {self._done} of {self._total}, {left:.0f} s left{note and ', ' + note}")
