"""`make test` installs the tools of Debian that tests need where it may, and says what is skipped where it may not."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.system_tools import system_tool

TOOLS = ("first-proxy:proxy-one", "second-proxy:proxy-two")


class Machine:
    """A folder of commands that stands for a machine, where apt-get installs the tools that it is told to know."""

    def __init__(self, folder: Path, *, user: int = 0, apt: bool = True, knows: str = "") -> None:
        self.folder = folder
        self.add("id", f"echo {user}")
        if apt:
            installs = "".join(
                f"printf '#!/bin/sh\\n' > {folder}/{tool}; {self._chmod(tool)}; " for tool in knows.split()
            )
            self.add("apt-get", f'echo "$@" >> {folder}/log; case "$*" in *install*) {installs}:;; esac; exit 100')

    def _chmod(self, name: str) -> str:
        return f"/bin/chmod +x {self.folder}/{name}"

    def add(self, name: str, line: str = "") -> None:
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)

    def run(self, systemd: bool = False) -> tuple[int, str]:
        """Return the exit code and the output of the script."""
        env = {"PATH": str(self.folder), "SYSTEMD": str(self.folder if systemd else self.folder / "none")}
        command = ["/bin/sh", str(ROOT / "scripts/test_tools"), *TOOLS]
        done = subprocess.run(command, env=env, text=True, stdout=-1, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def asked(self) -> str:
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""


def test_it_is_silent_where_all_is_there(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.add("first-proxy")
    machine.add("second-proxy")
    assert machine.run() == (0, "")
    assert machine.asked() == ""


def test_root_of_a_container_gets_what_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, knows="second-proxy")
    machine.add("first-proxy")
    assert machine.run() == (0, "installing proxy-two for the tests\n")
    assert "install --yes --no-install-recommends proxy-two\n" in machine.asked()
    assert machine.run() == (0, "")


@pytest.mark.parametrize(
    ("machine", "systemd"),
    [({"user": 1000}, False), ({"apt": False}, False), ({}, True), ({"knows": "first-proxy"}, False)],
    ids=["not root", "another system", "packages start servers", "a package is not found"],
)
def test_where_tools_stay_missing_it_says_which(machine: dict[str, object], systemd: bool, tmp_path: Path) -> None:
    code, output = Machine(tmp_path, **machine).run(systemd)  # type: ignore[arg-type]
    assert code == 1
    missing = "proxy-two" if machine.get("knows") else "proxy-one proxy-two"
    assert f"that need {missing} are skipped" in output
    assert f"apt install --no-install-recommends {missing}\n" in output


def test_make_goes_on_without_the_tools(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    Machine(tmp_path / "scripts").add("test_tools", "exit 1")
    (tmp_path / ".venv").mkdir()
    for stamp in (".dev", ".serve"):
        (tmp_path / ".venv" / stamp).touch()
    command = ["make", "-f", str(ROOT / "Makefile"), "-o", ".venv/.dev", ".venv/.tools"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    assert not (tmp_path / ".venv/.tools").exists()


def test_continuous_integration_skips_no_test_in_a_browser() -> None:
    assert "\nREQUIRED_TOOLS=chromium make test\n" in (ROOT / ".ci/run").read_text()
    assert " chromium:chromium\n" in (ROOT / "scripts/test_tools").read_text()


def test_a_missing_tool_skips_a_test_or_fails_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(tmp_path).add("sightglass-proxy")
    with pytest.raises(pytest.skip.Exception, match="needs sightglass-proxy"):
        system_tool("sightglass-proxy")
    monkeypatch.setenv("REQUIRED_TOOLS", "another sightglass-proxy")
    with pytest.raises(pytest.fail.Exception, match="REQUIRED_TOOLS"):
        system_tool("sightglass-proxy")
    monkeypatch.setenv("PATH", os.pathsep.join((os.environ["PATH"], str(tmp_path))))
    assert system_tool("sightglass-proxy") == str(tmp_path / "sightglass-proxy")
