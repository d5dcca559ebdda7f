"""`python -m data`: exit codes that scripts rely on, whatever the command."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from data import command as module
from data.command import Command, run_command
from data.errors import DataError
from tests.support.repository import ROOT


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a verb `do` that is the given function; return its exit code."""

    def run_verb(function: Callable[[argparse.Namespace], int], *arguments: str) -> int:
        verb = Command("do", "does it", lambda parser: None, function)
        monkeypatch.setattr(module, "constants", lambda package, constant: [("do", verb)])
        return run_command(
            ModuleType("commands"), ["do", *arguments], prog="data", description="", refusals=(DataError,)
        )

    return run_verb


def raised(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def function(options: argparse.Namespace) -> int:
        raise error

    return function


def test_what_a_verb_returns_is_the_exit_code(run: Callable[..., int]) -> None:
    assert run(lambda options: 2) == 2


def test_refusals_are_a_sentence_and_3(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raised(DataError("There is nothing. Add something."))) == 3
    assert capsys.readouterr().err == "error: There is nothing. Add something.\n"
    assert run(raised(FileNotFoundError(2, "No such file or directory", "a.jsonl"))) == 3
    assert capsys.readouterr().err == "error: a.jsonl: No such file or directory.\n"


def test_an_interrupt_is_130_without_a_traceback(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raised(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""


def test_unknown_arguments_are_refused_and_not_taken_for_faults(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(lambda options: 0, "--unknown")
    assert left.value.code == 3
    assert "unrecognized arguments: --unknown" in capsys.readouterr().err


def test_output_that_nobody_reads_ends_the_command_quietly(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n"
        "from types import ModuleType\n"
        "from data import command\n"
        "def run(options):\n"
        "    for _ in range(100_000): print('x' * 80)\n"
        "    return 0\n"
        "verb = command.Command('do', 'does it', lambda parser: None, run)\n"
        "command.constants = lambda package, name: [('do', verb)]\n"
        "sys.exit(command.run_command(ModuleType('m'), ['do'], prog='p', description='', refusals=()))\n"
    )
    with subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
