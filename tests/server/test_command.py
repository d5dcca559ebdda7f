"""The command `sightglass`: what it dispatches to, what it refuses, and what shells complete."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.command import main
from tests.support.repository import ROOT


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["serv"],
            "'serv' is no command. Commands: serve, check, models, data, training, explain, completion. "
            "Did you mean 'serve'?",
        ),
        (["--model", "x"], "'--model' is no command."),
        (["serve", "--modle", "x"], "Unknown arguments: --modle x. Did you mean '--model'"),
        (["check"], "No model is named."),
        (["serve", "--model", "nowhere"], "The model folder nowhere does not exist."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_it_says_what_is_wrong(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == (3 if "nowhere" in words else 2)
    written, error = capsys.readouterr()
    assert written == ""
    assert error.startswith("error: ") and text in error


def test_without_a_command_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "\n  serve       serve a model folder or a scoring script\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["--help"], "usage: sightglass COMMAND"),
        (["serve", "--help"], "usage: sightglass serve [--flag VALUE ...]"),
        (["check", "--help"], "usage: sightglass check [--flag VALUE ...]"),
        (["models", "register", "--help"], "usage: sightglass models register"),
        (["completion", "-h"], "usage: sightglass completion"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_command_has_a_help(words: list[str], usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(usage)


@pytest.mark.parametrize("name", ["data", "training", "explain"])
def test_what_a_server_never_imports_takes_the_place_of_this_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append([program, *words]))
    main([name, "check", "--deep", "a.jsonl"])
    assert started == [[sys.executable, sys.executable, "-P", "-m", name, "check", "--deep", "a.jsonl"]]


def test_python_m_server_is_serve() -> None:
    def run(*words: str) -> str:
        return subprocess.check_output([sys.executable, "-m", "server", *words], cwd=ROOT, text=True)

    assert run("--help").startswith("usage: python -m server [--flag VALUE ...]")
    assert run("--version").startswith("sightglass ")


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_told_what_to_do(
    platform: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert main(["serve"]) == 2
    assert f"Sightglass runs on Linux, and this is '{platform}'. Run its container image" in capsys.readouterr().err


def test_nothing_that_only_linux_has_is_imported_before_it_says_so() -> None:
    names = ("fcntl", "resource", "server.service", "server.supervisor.supervisor")
    code = f"import json, sys, server.command; print(json.dumps([name for name in {names!r} if name in sys.modules]))"
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sightglass mo", ["models"]),
        ("sightglass tr", ["training"]),
        ("sightglass serve --runt", ["--runtime"]),
        ("sightglass serve --runtime c", ["compiled", "cuda_graphs"]),
        ("sightglass check --log-format ", ["json", "text"]),
        ("sightglass models r", ["register"]),
        ("sightglass completion f", ["fish"]),
    ],
)
def test_a_shell_completes_commands_flags_and_words(line: str, found: list[str], tmp_path: Path) -> None:
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
    output = tmp_path / "completions"
    env = {**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(output)}
    code = "from server.command import main; main()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
    assert sorted(word.strip() for word in output.read_text().split("\n")) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_a_shell_names_the_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "sightglass" in capsys.readouterr().out


def test_completion_without_its_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    assert main(["completion", "bash"]) == 2
    assert "with its extra, '.[completion]'" in capsys.readouterr().err
