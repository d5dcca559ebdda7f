"""Log lines hold what clients sent, and no client can write a line or reach a terminal with it."""

import json
import logging
import shlex

import pytest

from server.logs import configure_logs

NASTY = "a\x1b[2Jb\x9b31mc\rd\ne\x00f\u2028g\u202eh\x7f"


@pytest.fixture(autouse=True)
def root_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pytest's own handlers."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)


def test_text_lines_escape_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("text", "info")
    logging.getLogger("some").warning("message %s", NASTY, extra={"facts": {"request_id": NASTY, "path": "/\u00e9"}})
    first, second, end = capsys.readouterr().err.split("\n")
    assert " some - message a\\x1b[2Jb\\x9b31mc\\rd" in first
    assert second.startswith('    e\\x00f\\u2028g\\u202eh\\x7f request_id="a\\x1b')
    assert second.endswith('d\\ne\\x00f\\u2028g\\u202eh\\x7f" path=/\u00e9')
    assert end == ""


def test_no_value_passes_for_several_facts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("text", "info")
    facts = {"agent": 'curl status=200 "\\', "empty": "", "route": "/v2/models/{model}", "ms": 1.5}
    logging.getLogger("some").warning("request", extra={"facts": facts})
    line = capsys.readouterr().err
    assert line.endswith(r'request agent="curl status=200 \"\\" empty="" route=/v2/models/{model} ms=1.5' + "\n")
    assert dict(word.split("=", 1) for word in shlex.split(line.partition("request ")[2])) == {
        name: str(value) for name, value in facts.items()
    }


def test_a_traceback_keeps_its_lines_and_none_passes_for_one_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("text", "info")
    try:
        raise ValueError("x\n2026-01-01T00:00:00.000Z I [1] server - all is well\x1b[0m")
    except ValueError:
        logging.getLogger("some").exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("    ") for line in lines] == [False] + [True] * (len(lines) - 1)
    assert lines[1:2] == ["    Traceback (most recent call last):"]
    assert lines[-1].endswith("all is well\\x1b[0m")


def test_json_lines_hold_everything_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    logging.getLogger("some").warning("message %s", NASTY, extra={"facts": {"request_id": NASTY}})
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["request_id"] == NASTY
    assert json.loads(line)["message"] == f"message {NASTY}"
    assert line.isprintable()
