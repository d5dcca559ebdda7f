"""Probes: quick while the engine is saturated, and honest about whether a score would succeed."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import write_automl_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer

FINE = encoded(painted(1, 640, 480), "JPEG")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = write_automl_folder(tmp_path_factory.mktemp("busy"), labels=("a", "b"))
    with LiveServer("--model", folder, "--http-processes", "2", "--max-batch-images", "1") as running:
        yield running


@contract(
    "Routes, headers and life cycle",
    "`GET /` answers `Healthy`",
    "better",
    "only while a score would succeed; `/health/live` and `/health/ready` tell more",
)
def test_all_probes_answer(server: LiveServer) -> None:
    assert http.get(server.url + "/").text == "Healthy"
    assert httpx.head(server.url + "/").status_code == 200
    assert http.get(server.url + "/health/live").json() == {"status": "live"}
    assert http.get(server.url + "/health/ready").json() == {"status": "ready"}


@contract(
    "Routes, headers and life cycle",
    "Probes wait while a worker scores",
    "better",
    "they are answered by a process that never scores",
)
def test_probes_answer_while_the_engine_is_saturated(server: LiveServer) -> None:
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            server.score([FINE] * 4)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    times, statuses = [], set()
    time.sleep(1)
    with http.Client() as probe:
        for turn in range(60):
            started = time.monotonic()
            statuses.add(probe.get(server.url + ("/health/live", "/health/ready", "/")[turn % 3]).status_code)
            times.append(time.monotonic() - started)
            time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses == {200}
    # the bound is 50 ms; a shared test machine gets a wide margin for its outliers
    assert sorted(times)[len(times) // 2] < 0.05
    assert max(times) < 1.0


def test_ready_means_that_a_score_succeeds(fridge_folder: Path) -> None:
    seen: list[int] = []
    with LiveServer("--model", fridge_folder, ready_within_s=0) as running:

        def ready() -> bool:
            seen.append(running.probe("/health/ready"))
            return seen[-1] == 200

        running.wait_for(lambda: running.probe("/health/live") == 200)
        assert running.score([FINE]).status_code == 503
        running.wait_for(ready)
        assert running.score([FINE]).status_code == 200
    assert set(seen) == {503, 200}, "alive before the model is warm, ready after"
