"""A service manager such as systemd is told when the server is ready, and when it stops."""

import socket
from pathlib import Path

import pytest

from server.supervisor.service_manager import READY, notify
from tests.support.servers.live_server import LiveServer

SLOW = "import time\ndef init(): time.sleep(1)\ndef run(data): return 1\n"


@pytest.mark.parametrize("abstract", [False, True], ids=["file", "abstract name"])
def test_ready_and_the_stop_are_told_once_each(abstract: bool, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SLOW)
    address = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        manager.setblocking(False)
        told: list[bytes] = []

        def received() -> bool:
            try:
                told.append(manager.recv(100))
            except BlockingIOError:
                return False
            return True

        env = {"NOTIFY_SOCKET": address}
        with LiveServer("--entry-script", tmp_path / "score.py", env=env, ready_within_s=0) as server:
            server.wait_for(lambda: server.probe("/health/live") == 200)
            server.wait_for(received)  # not before init() has run, for which it is ready then
            assert server.probe("/health/ready") == 200
            assert server.stop() == 0
        received()
        assert not received()
    assert told == [b"READY=1", b"STOPPING=1"]


def test_a_manager_that_has_gone_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify(READY)
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify(READY)
