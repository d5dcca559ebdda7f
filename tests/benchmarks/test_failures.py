"""The failure suite: cheap rows of it for real, and what it makes of scenarios that miss, hang or cannot be run."""

import time
from collections.abc import Callable

import pytest

from benchmarks.failures import families
from benchmarks.failures.__main__ import main
from benchmarks.failures.numbered_load import Exchange, NumberedLoad, numbers
from benchmarks.failures.scenario import FailureFamily, Finding, Scenario, SkipScenarioError, Trial
from benchmarks.failures.suite import PlannedRun, planned, run_suite
from models.discovery import constants


@pytest.mark.parametrize("row", ["smuggling variants", "pipelined requests", "kill -9 of a script's worker"])
def test_a_cheap_row_is_met(row: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--only", row, "--repeats", "1", "--no-report", "--minutes", "3"])
    out = capsys.readouterr().out
    assert code == 0, out
    assert "MET" in out
    assert "sightglass: 1 met" in out


def met(trial: Trial) -> Finding:
    assert trial.scratch.is_dir()
    return Finding(True, "all well", 0, 5)


def missed(trial: Trial) -> Finding:
    return Finding(False, "two were lost", 2, 5)


def skipped(trial: Trial) -> Finding:
    raise SkipScenarioError("needs a moon")


def breaks(trial: Trial) -> Finding:
    raise RuntimeError("server exit=3")


def hangs(trial: Trial) -> Finding:
    time.sleep(60)
    return Finding(True, "never seen")


@pytest.mark.parametrize(
    ("run", "verdict", "seen"),
    [
        (met, "met", "all well"),
        (missed, "missed", "two were lost"),
        (skipped, "skipped", "needs a moon"),
        (breaks, "missed", "RuntimeError: server exit=3"),
        (hangs, "missed", "did not end within 8 s"),
    ],
)
def test_a_row_says_what_became_of_a_scenario(run: Callable[[Trial], Finding], verdict: str, seen: str) -> None:
    (row,) = run_suite(plan(run), seconds=23.5, requests=1, repeats=1)
    assert (row.verdict, row.seen) == (verdict, seen)
    assert (row.server, row.scenario, row.expected) == ("sightglass", "a failure", "no loss")


def test_the_deadline_of_the_suite_is_kept() -> None:
    started = time.monotonic()
    rows = list(run_suite(plan(hangs, met, met), seconds=24, requests=1, repeats=1))
    assert [row.verdict for row in rows] == ["missed", "skipped", "skipped"]
    assert rows[1].seen == "no time was left"
    assert time.monotonic() - started < 20


def plan(*runs: Callable[[Trial], Finding]) -> list[PlannedRun]:
    scenarios = tuple(Scenario("a failure", "no loss", run, seconds=0.1) for run in runs)
    family = FailureFamily("failures", scenarios)
    return [PlannedRun(family, scenario, "sightglass") for scenario in scenarios]


def test_others_get_what_makes_sense_for_them_after_ours() -> None:
    runs = planned(["sightglass", "litserve"], [])
    servers = [run.server for run in runs]
    assert servers == sorted(servers, reverse=True)
    assert {run.scenario.name for run in runs if run.server == "litserve"} == {
        run.scenario.name for run in runs if run.scenario.peers
    }
    assert [run.scenario.name for run in planned(["sightglass"], ["endurance"])] == ["mixed requests"]


def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.name for _, family in constants(families, "FAMILY") for scenario in family.scenarios]
    assert len(names) == len(set(names)) > 20


def test_what_is_lost_or_done_twice_is_counted() -> None:
    load = NumberedLoad(0, numbers())
    outcomes: list[int | str] = [200, 200, "reset", 503, "timeout", "refused", "wrong"]
    load.exchanges = [Exchange(number, 0.0, 0.1, outcome) for number, outcome in enumerate(outcomes)]
    assert load.lost() == 3
    assert load.twice([0, 1, 2]) == 0
    assert load.twice([0, 1, 1, 2, 2]) == 2
    assert load.twice([1]) == 1, "0 was answered and never run"


def test_an_unknown_peer_or_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["--peers", "x"], "no peer 'x'"), (["--only", "x y z"], "nothing is named 'x y z'")):
        with pytest.raises(SystemExit):
            main(arguments)
        assert words in capsys.readouterr().err
