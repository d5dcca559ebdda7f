"""StopRequest: SIGTERM and Ctrl-C ask a run to finish its step, save and end. Outside of steps, it ends at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedOutsideSteps(BaseException):
    """SIGTERM came while a run was prepared or published, which the same command does again."""


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Raise StoppedOutsideSteps on SIGTERM within a `with` block, so that temporary files are removed."""

    def end(number: int, frame: FrameType | None) -> None:
        raise StoppedOutsideSteps

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopRequest:
    """Whether somebody asked the run to stop."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Note SIGTERM and SIGINT within a `with` block; a second SIGINT ends the process as usual."""
        before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
