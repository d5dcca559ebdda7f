"""Progress bars: one line that tqdm redraws on a terminal, and a plain line now and then where there is none."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

_FORMAT = "{desc} {percentage:3.0f}% |{bar:24}| {elapsed} done, {remaining} left{postfix}"
_LINE_EVERY_S = 10.0


def progress_bar(what: str, items: Iterable[Any] | None = None, *, total: float | None = None) -> Any:
    """Return a bar of tqdm on standard error over `items`, or over `total` work, which `update` adds up.

    `total` may be any measure of work as long as equal parts of it take about equal time.
    """
    # Without smoothing, the time left follows the pace since the start: stages of a training differ in their pace
    options = {"desc": what, "total": total, "bar_format": _FORMAT, "smoothing": 0.0, "miniters": 1}
    if sys.stderr.isatty():
        return tqdm(items, **options)
    return tqdm(items, **options, file=_Lines(), mininterval=_LINE_EVERY_S)


class _Lines:
    """A stream that writes each state of a bar to standard error as a line of its own."""

    def write(self, text: str) -> None:
        if line := text.strip("\r\n "):
            print(line, file=sys.stderr)

    def flush(self) -> None:
        sys.stderr.flush()
