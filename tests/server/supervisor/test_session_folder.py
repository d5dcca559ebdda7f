"""What a killed server left behind is removed by the next one, and what a living one uses is not."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from server.supervisor.session_folder import remove_abandoned, session_folder
from settings.errors import SettingsError
from tests.support.servers.live_server import LiveServer, run_server

OWNER = """
import sys, time, tempfile
tempfile.tempdir = sys.argv[1]
from server.supervisor.session_folder import session_folder
with session_folder() as folder:
    (folder / "metrics.db").write_bytes(b"1")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder whose path leaves room for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def make_old(folder: Path) -> None:
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))


def test_a_folder_goes_with_its_owner_and_not_before(short_folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(short_folder)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    try:
        make_old(folder)
        remove_abandoned(short_folder)
        assert (folder / "metrics.db").exists(), "its owner lives"
    finally:
        owner.kill()
        owner.communicate()
    assert folder.exists(), "nobody tidied up"
    remove_abandoned(short_folder)
    assert list(short_folder.iterdir()) == []


def test_a_young_folder_and_those_of_others_stay(tmp_path: Path) -> None:
    young, link, other = (tmp_path / name for name in ("sightglass_1", "sightglass_2", "something"))
    young.mkdir()
    other.mkdir()
    link.symlink_to(other)
    make_old(other)
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, link, other])


def test_the_folder_is_private_and_gone_at_the_end(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short_folder))
    with session_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_killed_server_takes_its_children_along_and_the_next_one_removes_its_folder(
    fridge_folder: Path, short_folder: Path
) -> None:
    env = {"TMPDIR": str(short_folder)}
    with LiveServer("--model", fridge_folder, env=env) as killed:
        children = psutil.Process(killed.process.pid).children(recursive=True)
        assert len(children) == 2
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []
        (left,) = short_folder.glob("sightglass_*")
        make_old(left)
        with LiveServer("--model", fridge_folder, env=env) as running:
            (found,) = short_folder.glob("sightglass_*")
            assert found != left
            assert "removing the folder of a killed server" in running.log()


def test_a_temporary_folder_too_deep_for_sockets_is_refused(fridge_folder: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    done = run_server("--model", fridge_folder, "--port", "0", env={"TMPDIR": str(deep)})
    assert done.returncode == 2
    assert "Set TMPDIR to a shorter one" in done.stderr


def test_a_temporary_folder_that_is_not_there_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such")
    with pytest.raises(SettingsError, match=r"No folder can be made in /no/such: .*set TMPDIR"), session_folder():
        pass


def test_no_temporary_folder_at_all_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", fail)
    with (
        pytest.raises(SettingsError, match=r"No usable temporary directory found\. Free space in /tmp"),
        session_folder(),
    ):
        pass
