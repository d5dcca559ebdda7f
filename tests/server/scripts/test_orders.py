"""Orders to change deployments: what takes long holds up no other order and no request, and what hangs is given up."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support import http
from tests.support.servers.live_server import LiveServer, run_server
from tests.support.servers.script_site import ScriptSite, script

ADMIN = {"authorization": "Bearer of-admins"}
HANG = "import time\ndef init(): time.sleep(1000)\ndef run(data): return 1\n"
LONG = "def init(): raise RuntimeError('x' * 100_000)\ndef run(data): return 1\n"
GATED = """
import os, time
from pathlib import Path

def wait():
    while Path(__file__).with_name("gate").exists():
        time.sleep(0.05)

def init():
    wait()

def run(data):
    if data == "die":
        os._exit(7)
    if data == "wait":
        wait()
    return os.environ["WORKER_COUNT"]
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptSite]:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "admins").write_text("of-admins\n")
    for name, text in {"hang": HANG, "long": LONG, "gated": GATED}.items():
        (folder / f"{name}.py").write_text(text)
    deployments = {"score": script(workers=2), "other": script()}
    site = ScriptSite(folder, deployments, "--admin-keys-file", folder / "admins")
    with site.server:
        yield site


@pytest.fixture
def site(running: ScriptSite) -> ScriptSite:
    """The site without what tests changed, so that none depends on another."""
    names = order(running, "GET", "/deployments").json()["deployments"]
    assert order(running, "PUT", "/traffic", {"traffic": {"score": 100}}).status_code == 200
    for name in names.keys() - {"score", "other"}:
        assert order(running, "DELETE", f"/deployments/{name}").status_code == 200
    return running


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def eventually(site: ScriptSite, condition: Callable[[], bool]) -> None:
    site.server.wait_for(condition, 60)


def order(site: ScriptSite, method: str, path: str, content: Any = None) -> httpx.Response:
    return http.request(method, site.server.url + path, json=content, headers=ADMIN, timeout=120)


def put(site: ScriptSite, name: str, file: str, **settings: Any) -> httpx.Response:
    content = {"entry_script": str(site.folder / file), "model_dir": str(site.folder / "model"), "settings": settings}
    return order(site, "PUT", f"/deployments/{name}", content)


def loading(site: ScriptSite, pool: ThreadPoolExecutor, name: str, file: str = "hang.py") -> Future[httpx.Response]:
    """Order a deployment that never gets ready, and wait until it is loading."""
    answered = pool.submit(put, site, name, file)

    def is_loading() -> bool:
        found = order(site, "GET", "/deployments").json()["deployments"].get(name, {})
        return bool(found.get("replacement", found).get("state") == "loading")

    eventually(site, is_loading)
    return answered


def script_processes(site: ScriptSite, file: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(site.server.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if child.status() != psutil.STATUS_ZOMBIE and str(site.folder / file) in child.cmdline():
                found.append(child)
    return found


def test_a_long_request_outlives_two_replacements_and_holds_up_neither(
    site: ScriptSite, pool: ThreadPoolExecutor
) -> None:
    gate = site.folder / "gate"
    assert put(site, "gated", "gated.py", request_timeout_ms=100_000).status_code == 200
    gate.touch()
    slow = pool.submit(site.ask, "gated", content="wait", timeout=100)
    eventually(site, lambda: site.server.metric("sightglass_queue_jobs", deployment="gated") == 1)
    (site.folder / "next.py").write_text(GATED.replace("gate", "other-gate"))
    for workers in (2, 1):
        assert put(site, "gated", "next.py", workers=workers).status_code == 200, "when new requests go there"
        assert site.ask("gated", content="x").json() == str(workers)
    assert not slow.done()
    eventually(site, lambda: len(script_processes(site, "next.py")) == 1)  # the second ends
    assert len(script_processes(site, "gated.py")) == 1, "the first has a request left"
    gate.unlink()
    assert (slow.result().status_code, slow.result().json()) == (200, "1"), "by the deployment that took it"
    eventually(site, lambda: script_processes(site, "gated.py") == [])


def test_what_hangs_while_it_loads_holds_up_nothing_and_can_be_removed(
    site: ScriptSite, pool: ThreadPoolExecutor
) -> None:
    hanging = loading(site, pool, "new")
    eventually(site, lambda: len(script_processes(site, "hang.py")) == 1)
    assert order(site, "PUT", "/traffic", {"traffic": {"other": 100}}).status_code == 200
    assert put(site, "third", "score.py").status_code == 200
    assert not hanging.done()
    assert order(site, "DELETE", "/deployments/new").status_code == 200
    reply = hanging.result()
    assert (reply.status_code, reply.json()["code"]) == (422, "deployment_failed")
    assert "an order to remove it came while it was loading" in reply.json()["message"]
    assert "new" not in order(site, "GET", "/deployments").json()["deployments"]
    kept = json.loads(site.file.read_text())
    assert (set(kept["deployments"]), kept["traffic"]) == ({"score", "other", "third"}, {"other": 100.0})
    eventually(site, lambda: script_processes(site, "hang.py") == [])


def test_a_replacement_that_hangs_is_given_up_alone(site: ScriptSite, pool: ThreadPoolExecutor) -> None:
    first = loading(site, pool, "score")
    second = pool.submit(put, site, "score", "hang.py")
    assert "a later order of this name came while it was loading" in first.result().json()["message"]
    assert order(site, "DELETE", "/deployments/score").status_code == 200, "though it gets traffic"
    assert second.result().status_code == 422
    assert site.do("predict", data=[[1, 2, 3]]).json() == [321.0]


@pytest.mark.parametrize(
    ("file", "timeout_ms", "words"),
    [
        ("hang.py", 1000, "its init() did not end within 1 s. Mend it, or raise --start-timeout-ms"),
        ("long.py", 600_000, "it raised RuntimeError: xxx"),
    ],
)
def test_what_cannot_serve_is_422_with_a_short_reason(site: ScriptSite, file: str, timeout_ms: int, words: str) -> None:
    reply = put(site, "score", file, start_timeout_ms=timeout_ms)
    assert (reply.status_code, reply.json()["code"]) == (422, "deployment_failed")
    assert words in reply.json()["message"]
    assert len(reply.content) < 2000
    assert site.do("predict", data=[[1, 2, 3]]).json() == [321.0]


def test_a_worker_that_hangs_while_it_is_replaced_is_started_again(site: ScriptSite) -> None:
    assert put(site, "gated", "gated.py", start_timeout_ms=10_000).status_code == 200
    (site.folder / "gate").touch()
    assert site.ask("gated", content="die").json()["code"] == "script_ended"
    eventually(site, lambda: "the script does not start again: its init() did not end" in site.server.log())
    (site.folder / "gate").unlink()
    eventually(site, lambda: site.ask("gated", content="x").status_code == 200)


def test_a_change_that_cannot_be_saved_is_told_until_it_is(site: ScriptSite) -> None:
    blocked = site.file.with_name(site.file.name + ".part")
    blocked.mkdir()  # as good as a full disk, and stops root as well
    try:
        reply = order(site, "PUT", "/traffic", {"traffic": {"other": 100}})
        assert reply.status_code == 200
        assert f"{site.file} cannot be written: Is a directory. The change is in effect" in reply.json()["unsaved"]
        assert site.do("predict", "", data=[]).headers["azureml-model-deployment"] == "other"
        assert "unsaved" in order(site, "GET", "/deployments").json()
        assert json.loads(site.file.read_text())["traffic"] == {"score": 100.0}
    finally:
        blocked.rmdir()
    assert "unsaved" not in order(site, "PUT", "/traffic", {"traffic": {"other": 100}}).json()
    assert json.loads(site.file.read_text())["traffic"] == {"other": 100.0}


@pytest.mark.parametrize(
    ("text", "timeout_ms", "words"),
    [(HANG, "1000", "its init() did not end within 1 s"), (LONG, "600000", "it raised RuntimeError: xxx")],
    ids=["hang", "long"],
)
def test_a_start_that_hangs_or_has_a_long_reason_is_3(tmp_path: Path, text: str, timeout_ms: str, words: str) -> None:
    (tmp_path / "score.py").write_text(text)
    done = run_server("--entry-script", tmp_path / "score.py", "--port", "0", "--start-timeout-ms", timeout_ms)
    assert done.returncode == 3
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert words in line
    assert len(line) < 1100


def test_a_stop_does_not_wait_for_what_hangs(tmp_path: Path) -> None:
    (tmp_path / "hang.py").write_text(HANG)
    (tmp_path / "admins").write_text("of-admins\n")
    flags = ("--entry-script", tmp_path / "hang.py", "--admin-keys-file", tmp_path / "admins")
    with LiveServer(*flags, ready_within_s=0) as server, ThreadPoolExecutor(1) as pool:
        server.wait_for(lambda: server.probe("/health/live") == 200, 60)
        content = {"entry_script": str(tmp_path / "hang.py")}
        ordered = pool.submit(http.put, server.url + "/deployments/new", json=content, headers=ADMIN)
        server.wait_for(lambda: "new" in http.get(server.url + "/deployments", headers=ADMIN).json()["deployments"], 60)
        assert server.stop(within_s=20) == 0
        assert "the server is shutting down" in ordered.result().json()["message"]
