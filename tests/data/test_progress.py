"""Progress: a bar on a terminal, plain lines elsewhere, and the time left also of work that somebody began before."""

from io import StringIO

import pytest

from data.progress import ProgressReport


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_say_what_is_left_of_work_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 5.0, 20.0, 25.0])
    monkeypatch.setattr("data.progress.time.monotonic", lambda: next(now))
    stream = StringIO()
    with ProgressReport(stream=stream).bar(100, "training", 90) as bar:
        for _ in range(3):
            bar.advance(note="epoch 2")
    # two units took 20 seconds, whatever the 90 before them took
    assert stream.getvalue() == "training: 92 of 100, 80 s left, epoch 2\n"


def test_a_terminal_shows_the_same() -> None:
    stream = Terminal()
    with ProgressReport(stream=stream).bar(4, "training", 2) as bar:
        bar.advance(note="epoch 2")
    assert "training:  50% |" in stream.getvalue()
    assert "| 2 of 4, " in stream.getvalue()
