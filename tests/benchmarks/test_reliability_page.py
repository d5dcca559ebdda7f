"""The page on reliability says what a run of the failure suite saw, and where others did better."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import reliability


def row(server: str, scenario: str, verdict: str, lost: int = 0) -> dict[str, Any]:
    known = {"family": "Kills", "expected": "a | b", "seen": f"{server} seen", "requests": 10, "seconds": 1}
    return known | {"server": server, "scenario": scenario, "verdict": verdict, "lost": lost}


def result(*rows: dict[str, Any], processor: str = "Some processor") -> dict[str, Any]:
    machine = {"processor": processor, "cores": 2, "gpu": None, "time": "2026-01-02T03:04:05"}
    return {"machine": machine | {"versions": {"torch": "2.15.0"}}, "rows": list(rows)}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [
        row("sightglass", "kill", "met"),
        row("sightglass", "stop", "missed"),
        row("sightglass", "fill", "met", 2),
        row("sightglass", "alone", "missed"),
        row("other", "kill", "missed", 3),
        row("other", "stop", "met"),
        row("other", "fill", "met", 1),
    ]
    file = tmp_path / "failures.json"
    file.write_text(json.dumps(reliability.merged([result(*rows)], {each["scenario"] for each in rows})))
    monkeypatch.setattr(reliability, "_RESULT", file)
    return file


def test_each_failure_has_its_row(run: Path) -> None:
    lines = reliability.failures_table().splitlines()
    assert lines[0] == "Some processor, 2 cores, no GPU; PyTorch 2.15.0; 2026-01-02."
    assert lines[2] == "**Kills**"
    assert "| fill | a \\| b | sightglass seen | 2 of 10 | met |" in lines
    assert "| other | other seen | 3 of 10 | missed |" in reliability.failures_beside_peers_table()
    assert "alone" not in reliability.failures_beside_peers_table()


def test_the_page_says_where_others_did_better(run: Path) -> None:
    lines = reliability.better_elsewhere_table().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["- stop", "- fill"]


def test_the_page_says_when_nothing_was_run(run: Path) -> None:
    run.unlink()
    assert "No run" in reliability.failures_table()
    assert (
        reliability.failures_beside_peers_table() == reliability.better_elsewhere_table() == "No other server was run."
    )


def test_a_later_result_replaces_rows_of_the_same_failure() -> None:
    first = result(row("sightglass", "kill", "missed"), row("sightglass", "gone", "met"), row("other", "kill", "met"))
    later = result(row("sightglass", "kill", "met"))
    rows = reliability.merged([first, later], {"kill"})["rows"]
    assert [(each["server"], each["scenario"], each["verdict"]) for each in rows] == [
        ("sightglass", "kill", "met"),
        ("other", "kill", "met"),
    ]
    with pytest.raises(ValueError, match="different machines"):
        reliability.merged([first, result(processor="another")], {"kill"})
