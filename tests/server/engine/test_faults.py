"""One image's trouble stays its own: the real server, with an engine that fails on command."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.engines.faulty_model import coloured
from tests.support.images import encoded, painted
from tests.support.servers.busy_device import start_slow_batch
from tests.support.servers.live_server import LiveServer
from tests.support.servers.other_model import other_model

FAULTY = other_model("tests.support.engines.faulty_model:FaultyModel")
FINE = encoded(painted(1, 80, 80), "PNG")


@pytest.fixture(scope="module", params=[0, 2], ids=["engine", "decode_workers"])
def server(fridge_folder: Path, request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    # a patient queue: some images take a thousand times as long as others, which no prediction could know
    flags = ("--queue-limit-ms", "600000", "--decode-workers", str(request.param))
    with LiveServer("--model", fridge_folder, *flags, command=FAULTY) as running:
        running.wait_for(lambda: running.log().count("decode worker ready") == request.param)
        yield running


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def test_a_poisoned_image_harms_no_batch_mate(server: LiveServer, pool: ThreadPoolExecutor) -> None:
    slow = start_slow_batch(server, pool)
    mates = [pool.submit(server.score, [FINE]) for _ in range(3)]
    poisoned = pool.submit(server.score, [FINE, coloured("poison"), *[FINE] * 4])
    assert slow.result().status_code == 200
    assert [mate.result().status_code for mate in mates] == [200] * 3
    reply = poisoned.result()
    assert reply.status_code == 500
    assert reply.json()["code"] == "scoring_failed"
    assert reply.json()["details"][0]["position"] == 1
    server.wait_ready()
    assert "retrying it image by image" in server.log()


def test_a_client_whose_images_fail_shuts_no_other_out(server: LiveServer, pool: ThreadPoolExecutor) -> None:
    def fail() -> list[int]:
        return [server.score([coloured("poison")]).status_code for _ in range(8)]

    poisoned = [pool.submit(fail) for _ in range(2)]
    others = [server.score([FINE]).status_code for _ in range(10)]
    assert [each.result() for each in poisoned] == [[500] * 8] * 2
    assert others == [200] * 10


def test_an_engine_that_dies_fails_its_requests_at_once_and_comes_back(
    server: LiveServer, pool: ThreadPoolExecutor
) -> None:
    (before,) = server.children("tests.support.servers.other_model")
    restarts = server.metric("sightglass_engine_restarts_total")
    slow = start_slow_batch(server, pool)
    queued = [pool.submit(server.score, [FINE]) for _ in range(3)]
    time.sleep(0.2)  # most of them are in the engine by then, and the others fail no later
    started = time.monotonic()
    before.kill()
    for waiting in (slow, *queued):
        reply = waiting.result()
        assert reply.status_code == 503
        assert reply.json()["code"] == "engine_unavailable"
        assert reply.headers["retry-after"] == "1"
    assert time.monotonic() - started < 1, "nobody waits for a timeout"
    assert server.probe("/health/live") == 200
    assert server.probe("/health/ready") == 503
    assert server.score([FINE]).status_code == 503
    server.wait_ready()
    assert server.score([FINE]).status_code == 200
    assert server.metric("sightglass_engine_restarts_total") == restarts + 1


def test_a_batch_that_does_not_fit_is_halved_and_an_engine_killed_by_an_image_comes_back(
    server: LiveServer, pool: ThreadPoolExecutor
) -> None:
    slow = start_slow_batch(server, pool)
    reply = pool.submit(server.score, [coloured("memory")] * 4).result()
    assert slow.result().status_code == 200
    assert reply.status_code == 200
    assert len(reply.json()) == 4
    assert "halving the batch" in server.log()
    # the next engine knows nothing of the size that did not fit
    assert server.score([coloured("kill")]).status_code == 503
    server.wait_ready()
    assert server.score([FINE]).status_code == 200


def test_a_device_that_stays_broken_is_replaced(server: LiveServer) -> None:
    (before,) = server.children("tests.support.servers.other_model")
    assert server.score([coloured("sick")]).status_code in (500, 503)
    server.wait_for(lambda: not before.is_running())
    server.wait_ready()
    assert server.score([FINE]).status_code == 200
    assert "the device failed its probe" in server.log()
