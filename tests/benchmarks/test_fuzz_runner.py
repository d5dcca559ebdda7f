"""The fuzz runner: every target ends as it declares, and a body that makes one fail, hang or crash is kept."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.fuzz.__main__ import main
from benchmarks.fuzz.mutation import Mutator, Sample
from benchmarks.fuzz.run import FuzzTally, run, run_alone
from benchmarks.fuzz.targets import Target, targets


@pytest.mark.parametrize("name", targets())
def test_mutated_bodies_end_as_declared(name: str, tmp_path: Path) -> None:
    """The command sends a hundred times as many bodies."""
    tally = run(targets()[name], 1000, seed=os.getpid(), keep=tmp_path)
    assert not tally.failures, [file.read_text() for file in tmp_path.glob("*.txt")]
    assert tally.outcomes.total() == 1000
    assert len(tally.outcomes) > 1
    assert any(outcome == "read" or "frames" in outcome for outcome in tally.outcomes)


def test_a_seed_decides_all_bodies() -> None:
    target = targets()["hosted"]
    first, again, other = (Mutator(target.samples, target.words, seed) for seed in (1, 1, 2))
    bodies = [first.body() for _ in range(50)]
    assert bodies == [again.body() for _ in range(50)] != [other.body() for _ in range(50)]


def fails(body: bytes) -> str:
    if b"x" in body:
        raise KeyError("x")
    return "read"


def hangs(body: bytes) -> str:
    if b"x" in body:
        time.sleep(1)
    return "read"


def ends_the_process(body: bytes) -> str:
    if b"x" in body:
        os.kill(os.getpid(), signal.SIGSEGV)
    return "read"


@pytest.mark.parametrize(
    ("parse", "runner", "kind"),
    [
        (fails, run, "KeyError"),
        (hangs, run, "HangError"),
        (ends_the_process, run_alone, "the process ended"),
    ],
)
def test_a_failure_is_counted_and_kept(
    parse: Callable[[bytes], str],
    runner: Callable[..., FuzzTally],
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.fuzz.run._HANGS_S", 0.01)
    tally = runner(Target("fake", [Sample(tail=b"abcdef" * 9)], parse), 60, 1, tmp_path)
    ((found, number),) = tally.failures.items()
    assert found.startswith(kind)
    assert number == 1 or number == 60 - tally.outcomes["read"]
    (kept,) = tmp_path.glob("fake-*[0-9a-f]")
    assert b"x" in kept.read_bytes()
    assert kind in kept.with_suffix(".txt").read_text()


def test_the_command_prints_a_row_for_each_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["base64", "frames", "--count", "200", "--keep", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "base64: 200 bodies" in out
    assert "memory grew by" in out
    assert "refused" in out
    with pytest.raises(SystemExit):
        main(["frame"])
