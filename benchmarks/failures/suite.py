"""Runs scenarios one after the other within a deadline, and makes a row of each."""

import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.failures import families
from benchmarks.failures.attacked_server import OURS
from benchmarks.failures.scenario import (
    FailureFamily,
    Finding,
    Scenario,
    SkipScenarioError,
    Trial,
    scratch_folder,
)
from examples.fridge.progress import progress_bar
from models.discovery import constants

Verdict = Literal["met", "missed", "skipped"]
_SLACK = 2.5  # a scenario may take so many times the usual seconds, on a machine that others use too
_LEAST_S = 8.0
_PEER_STARTS_S = 20.0  # others take longer to start
_CLOSING_S = 15.0  # kept for ending servers


class OutOfTimeError(Exception):
    """A scenario took longer than it may."""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """The result of a scenario on a server: what was expected and seen, and how many of the requests were lost."""

    family: str
    scenario: str
    server: str
    expected: str
    seen: str
    lost: int
    requests: int
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A scenario that is to be run on a server."""

    family: FailureFamily
    scenario: Scenario
    server: str


def planned(servers: Sequence[str], only: Sequence[str]) -> list[PlannedRun]:
    """Return what to run: all that makes sense for each server, ours first, those that take what is left at its end.

    `only` holds names of families, which are those of their files, or words of scenarios.
    """
    found = dict(constants(families, "FAMILY"))
    runs = [
        PlannedRun(family, scenario, server)
        for server in servers
        for stem, family in found.items()
        for scenario in family.scenarios
        if (server == OURS or scenario.peers)
        and (not only or any(word == stem or word in scenario.name for word in only))
    ]
    return sorted(runs, key=lambda run: (run.server != OURS, run.scenario.share > 0))


def run_suite(runs: Sequence[PlannedRun], *, seconds: float, requests: int, repeats: int) -> Iterator[FailureRow]:
    """Run all within `seconds`, and yield a row for each; what there is no time for is skipped."""
    end = time.monotonic() + seconds - _CLOSING_S
    bar = progress_bar("failures", total=sum(run.scenario.seconds for run in runs))
    for number, run in enumerate(runs):
        left_s = end - time.monotonic()
        allowed_s = _allowed_s(run, runs[number + 1 :], left_s)
        print(f"[{left_s:.0f} s left] {number + 1} of {len(runs)}: {run.server}, {run.scenario.name}", flush=True)
        yield _row(run, allowed_s, requests, repeats)
        bar.update(run.scenario.seconds)
    bar.close()


def _allowed_s(run: PlannedRun, later: Sequence[PlannedRun], left_s: float) -> float:
    """Return the seconds that a run may take, of what the later ones do not need.

    One with a share gets that of it, and another at most a quarter, unless 2.5 times its usual seconds are more.
    """
    spare_s = left_s - sum(each.scenario.seconds for each in later)
    if not run.scenario.share:
        start_s = _LEAST_S if run.server == OURS else _PEER_STARTS_S
        return min(left_s, max(spare_s / 4, _SLACK * run.scenario.seconds + start_s))
    shares = run.scenario.share + sum(each.scenario.share for each in later)
    return min(left_s, max(_LEAST_S, spare_s * run.scenario.share / shares))


def _row(run: PlannedRun, allowed_s: float, requests: int, repeats: int) -> FailureRow:
    started = time.monotonic()
    verdict: Verdict | None = None
    try:
        if allowed_s < _LEAST_S:
            raise SkipScenarioError("no time was left")
        with scratch_folder() as scratch, _alarm(allowed_s):
            # what a server takes to start and end belongs to the time allowed
            trial = Trial(run.server, Path(scratch), repeats, requests, allowed_s - _LEAST_S / 2)
            finding = run.scenario.run(trial)
    except SkipScenarioError as why:
        finding, verdict = Finding(False, str(why)), "skipped"
    except OutOfTimeError:
        finding = Finding(False, f"did not end within {allowed_s:.0f} s")
        verdict = _without_finding(run)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        verdict = _without_finding(run)
        lines = str(error).strip().splitlines() or [""]
        finding = Finding(False, f"{type(error).__name__}: {lines[0][:300]}")
    return FailureRow(
        family=run.family.title,
        scenario=run.scenario.name,
        server=run.server,
        expected=run.scenario.expected,
        seen=finding.seen,
        lost=finding.lost,
        requests=finding.requests,
        verdict=verdict or ("met" if finding.met else "missed"),
        seconds=round(time.monotonic() - started, 1),
    )


def _without_finding(run: PlannedRun) -> Verdict:
    """Return the verdict where nothing was found: ours has missed its row, of others nothing can be said."""
    return "missed" if run.server == OURS else "skipped"


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the main thread after `seconds`."""

    def ring(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
