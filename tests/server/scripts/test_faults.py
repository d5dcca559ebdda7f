"""What a script does to its own process harms no other request, and probes answer meanwhile."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.contract import contract
from tests.support.servers.script_site import ScriptSite, script

FAILED = "x-ms-run-function-failed"
LIMIT_MS = 1500


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptSite]:
    deployments = {
        "score": script(workers=2, scoring_timeout_ms=LIMIT_MS),
        "impatient": script(queue_limit_ms=100),
        "brief": script(request_timeout_ms=1000, queue_limit_ms=60_000),
    }
    site = ScriptSite(tmp_path_factory.mktemp("scripts"), deployments)
    with site.server:
        site.server.wait_for(lambda: all(site.do("predict", name, data=[]).status_code == 200 for name in deployments))
        yield site


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def pids(site: ScriptSite, pool: ThreadPoolExecutor, count: int = 2) -> set[int]:
    """The processes of the script, each kept busy for a moment so that all are asked."""
    replies = [pool.submit(site.do, "sleep", seconds=0.5) for _ in range(count)]
    return {reply.result().json()["pid"] for reply in replies}


def restarts(site: ScriptSite) -> float:
    return site.server.metric("sightglass_script_worker_restarts_total", deployment="score")


@contract("Scoring scripts", "Each worker answers one request at a time")
def test_requests_run_at_once_on_as_many_processes_as_there_are(site: ScriptSite, pool: ThreadPoolExecutor) -> None:
    waiting = [pool.submit(site.do, "sleep", seconds=0.8) for _ in range(2)]
    one, other = (reply.result().json() for reply in waiting)
    assert one["pid"] != other["pid"]
    assert max(one["from"], other["from"]) < min(one["to"], other["to"]), "they overlap"


@contract(
    "Scoring scripts",
    "A run() past SCORING_TIMEOUT_MS is interrupted, if it lets itself be, and probes wait for it",
    "better",
    "its process is killed and replaced, whatever it does, and probes are answered",
)
@pytest.mark.parametrize("how", ["sleep", "never_let_go"])
def test_a_request_that_hangs_is_killed_while_all_else_goes_on(
    site: ScriptSite, pool: ThreadPoolExecutor, how: str
) -> None:
    before, replaced = pids(site, pool), restarts(site)
    hanging = pool.submit(site.do, how, seconds=1000)
    for _ in range(5):
        assert site.do("predict", data=[[1, 0, 0]]).json() == [1.0]
        assert site.server.probe("/health/ready") == site.server.probe("/") == 200
    assert not hanging.done()
    reply = hanging.result()
    assert reply.status_code == 500
    assert reply.json()["message"] == f"Scoring timeout after {LIMIT_MS} ms"
    assert (reply.json()["code"], reply.headers[FAILED]) == ("script_timeout", "True")
    site.server.wait_for(lambda: restarts(site) == replaced + 1)
    site.server.wait_for(lambda: site.server.metric("sightglass_script_workers", deployment="score") == 2)
    after = pids(site, pool)
    assert len(before & after) == 1, "the other process is still there"
    assert len(after) == 2


def test_requests_wait_for_a_new_process_when_all_are_killed(site: ScriptSite, pool: ThreadPoolExecutor) -> None:
    hanging = [pool.submit(site.do, "sleep", seconds=1000) for _ in range(2)]
    time.sleep(0.3)
    waiting = [pool.submit(site.do, "predict", data=[[0, 1, 0]]) for _ in range(3)]
    assert site.server.probe("/health/ready") == 200
    assert [reply.result().status_code for reply in hanging] == [500, 500]
    assert [reply.result().json() for reply in waiting] == [[10.0]] * 3


@contract("Scoring scripts", "A crash resets the connection", "better", "its own request is 500, no other is touched")
@pytest.mark.parametrize(("how", "words"), [("die", "ended with exit code 7"), ("crash", "was ended by SIGSEGV")])
def test_a_process_that_dies_fails_its_own_request_alone(
    site: ScriptSite, pool: ThreadPoolExecutor, how: str, words: str
) -> None:
    other = pool.submit(site.do, "sleep", seconds=1)
    time.sleep(0.2)
    reply = site.do(how)
    assert (reply.status_code, reply.json()["code"], reply.headers[FAILED]) == (500, "script_ended", "True")
    assert words in reply.json()["message"]
    assert site.do("predict", data=[[0, 0, 1]]).json() == [100.0]
    assert other.result().status_code == 200


def test_native_crashes_are_told_in_the_log(site: ScriptSite) -> None:
    site.do("crash")
    site.server.wait_for(lambda: "Fatal Python error: Segmentation fault" in site.server.log())
    site.server.wait_for(lambda: f'File "{site.folder / "score.py"}", line' in site.server.log())


@pytest.mark.parametrize("own_session", [False, True])
def test_what_a_killed_process_has_started_goes_with_it(site: ScriptSite, tmp_path: Path, own_session: bool) -> None:
    reply = site.do("start_and_hang", tell=str(tmp_path / "pids"), own_session=own_session)
    assert reply.json()["code"] == "script_timeout"
    family = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    site.server.wait_for(lambda: not any(map(runs, family)))


def test_a_client_that_leaves_is_not_worked_for(site: ScriptSite, pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    cancelled = site.server.metric("sightglass_cancelled_images_total", deployment="score")
    busy = [pool.submit(site.do, "sleep", seconds=1) for _ in range(2)]
    time.sleep(0.3)
    with pytest.raises(httpx.ReadTimeout):
        site.do("sleep", seconds=0, touch=str(tmp_path / "touched"), patience_s=0.3)
    assert all(reply.result().status_code == 200 for reply in busy)
    assert site.do("predict", data=[]).status_code == 200, "whose turn comes after that of the one that left"
    assert not (tmp_path / "touched").exists()
    assert site.server.metric("sightglass_cancelled_images_total", deployment="score") == cancelled + 1


def test_what_would_wait_too_long_is_refused_at_once(site: ScriptSite, pool: ThreadPoolExecutor) -> None:
    dropped = {"deployment": "impatient", "reason": "queue_full"}
    before = site.server.metric("sightglass_dropped_images_total", **dropped)
    busy = pool.submit(site.do, "sleep", "impatient", seconds=2)
    time.sleep(0.4)
    reply = site.do("predict", "impatient", data=[])
    assert not busy.done()
    assert (reply.status_code, reply.json()["code"], reply.headers[FAILED]) == (429, "queue_full", "False")
    assert int(reply.headers["retry-after"]) >= 1
    assert busy.result().status_code == 200
    assert site.server.metric("sightglass_dropped_images_total", **dropped) == before + 1


def test_what_has_waited_past_its_deadline_never_runs(
    site: ScriptSite, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    def later(seconds: float, **more: Any) -> Future[httpx.Response]:
        found = pool.submit(site.do, "sleep", "brief", seconds=seconds, **more)
        time.sleep(0.1)
        return found

    first, second = later(0.7), later(0.7)
    third = later(0, touch=str(tmp_path / "touched"))
    assert first.result().status_code == 200
    reply = third.result()
    assert (reply.status_code, reply.json()["code"]) == (504, "deadline_exceeded")
    assert second.result().status_code in (200, 504)
    site.server.wait_for(lambda: site.do("predict", "brief", data=[]).status_code == 200)
    dropped = site.server.metric("sightglass_dropped_images_total", deployment="brief", reason="deadline")
    assert dropped >= 1
    assert not (tmp_path / "touched").exists()


def test_a_host_that_is_killed_comes_back_and_leaves_nothing_behind(site: ScriptSite, pool: ThreadPoolExecutor) -> None:
    workers = [*pids(site, pool)]
    (host,) = {psutil.Process(pid).parent() for pid in workers}
    assert host is not None
    stuck = pool.submit(site.do, "never_let_go")
    time.sleep(0.3)
    host.kill()
    reply = stuck.result()
    assert (reply.status_code, reply.json()["code"]) == (503, "engine_unavailable")
    assert site.server.probe("/health/live") == 200
    site.server.wait_for(lambda: not any(map(runs, workers)))
    site.server.wait_for(lambda: site.do("predict", data=[[1, 0, 0]]).status_code == 200)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_script_that_does_not_start_again_is_not_ready(site: ScriptSite) -> None:
    model = site.folder / "model" / "model.json"
    content = model.read_text()
    model.write_text("no JSON")
    try:
        assert site.do("die", "impatient").json()["code"] == "script_ended"
        site.server.wait_for(lambda: site.do("predict", "impatient", data=[]).status_code == 503)
        words = "the script does not start again: it raised JSONDecodeError"
        site.server.wait_for(lambda: words in site.server.log())
        assert site.do("predict", "impatient", data=[]).json()["code"] == "engine_unavailable"
        assert site.server.probe("/health/ready") == 200, "others do"
    finally:
        model.write_text(content)
    site.server.wait_for(lambda: site.do("predict", "impatient", data=[]).status_code == 200)
