"""More work than the server can do: refuse early, drop what is late or unwanted, keep the rest."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support import http
from tests.support.contract import contract
from tests.support.engines.faulty_model import LOGGED, SLOW_ENDED, coloured
from tests.support.images import encoded, painted
from tests.support.servers.busy_device import start_slow_batch
from tests.support.servers.live_server import LiveServer
from tests.support.servers.other_model import other_model

FAULTY = other_model("tests.support.engines.faulty_model:FaultyModel")
JSON = {"content-type": "application/json"}
FINE = encoded(painted(1, 80, 80), "PNG")


@pytest.fixture
def server(fridge_folder: Path) -> Iterator[LiveServer]:
    # a fresh one for each test: an engine remembers how slow it was
    limits = ("--queue-limit-ms", "600000", "--request-timeout-ms", "1000")
    with LiveServer("--model", fridge_folder, *limits, command=FAULTY) as running:
        yield running


@pytest.fixture
def busy_server(fridge_folder: Path) -> Iterator[LiveServer]:
    with LiveServer("--model", fridge_folder, "--queue-limit-ms", "40", "--max-batch-images", "2") as running:
        yield running


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as threads:
        yield threads


@contract(
    "Routes, headers and life cycle",
    "429 when too much is in flight",
    "better",
    "by predicted time, with `Retry-After`",
)
def test_a_full_queue_is_refused_at_once_and_says_when_to_come_back(
    busy_server: LiveServer, pool: ThreadPoolExecutor
) -> None:
    replies = [pool.submit(busy_server.score, [FINE] * 8) for _ in range(60)]
    codes = Counter(reply.result().status_code for reply in replies)
    assert set(codes) == {200, 429}, codes
    refused = next(reply.result() for reply in replies if reply.result().status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.json()["code"] == "queue_full"
    assert busy_server.metric("sightglass_dropped_images_total", reason="queue_full") == codes[429]


def test_what_is_refused_is_not_read_unless_it_may_ask_why(fridge_folder: Path, pool: ThreadPoolExecutor) -> None:
    def answers(server: LiveServer, body: bytes) -> set[int]:
        """Return what it is answered right after refusals; HTTP processes believe those for a tenth of a second."""
        codes = set()
        for _ in range(10):
            assert server.score([FINE]).status_code == 429
            codes.add(http.post(server.url + "/score", content=body, headers=JSON).status_code)
        return codes

    with LiveServer("--model", fridge_folder, "--queue-limit-ms", "1", command=FAULTY) as server:
        slow = start_slow_batch(server, pool)
        assert 429 in answers(server, b'{"input_data": no JSON}')
        assert answers(server, b'{"input_data": no JSON, "model_explainability": true}') == {400}
        assert slow.result().status_code == 200


@contract(
    "Routes, headers and life cycle",
    "408 when a request takes too long, which goes on computing",
    "better",
    "504, and what was not begun is not computed",
)
def test_a_late_request_is_answered_at_its_deadline_and_never_run(server: LiveServer, pool: ThreadPoolExecutor) -> None:
    slow = start_slow_batch(server, pool)
    late = pool.submit(server.score, [coloured("logged")]).result()
    assert SLOW_ENDED not in server.log(), "the answer does not wait for the device"
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    assert slow.result().status_code == 504, "it was on the device already, and was too slow itself"
    server.wait_for(lambda: server.score([FINE]).status_code == 200)
    assert LOGGED not in server.log(), "the late image never reached the device"
    assert server.metric("sightglass_dropped_images_total", reason="deadline") >= 1


def test_a_client_that_leaves_costs_no_device_time_and_a_body_that_never_ends_is_given_up(
    server: LiveServer, pool: ThreadPoolExecutor
) -> None:
    def trickle() -> Iterator[bytes]:
        yield b"x"
        time.sleep(2)
        yield b"x"

    reply = http.post(server.url + "/score", content=trickle(), headers={"content-type": "image/png"}, timeout=10)
    assert (reply.status_code, reply.json()["code"]) == (408, "body_timeout")
    slow = start_slow_batch(server, pool)
    cancelled = server.metric("sightglass_cancelled_images_total")
    for _ in range(5):
        with pytest.raises(httpx.ReadTimeout):
            http.post(server.url + "/score", content=coloured("logged"), timeout=0.1)
    server.wait_for(lambda: server.metric("sightglass_cancelled_images_total") == cancelled + 5, 3)
    slow.result()
    server.wait_for(lambda: server.score([FINE]).status_code == 200)
    assert LOGGED not in server.log()
    assert server.metric("sightglass_requests_total", code="499", route="/score") == 5


def _has_ended(server: LiveServer, slow_batches: int) -> bool:
    return server.log().count(SLOW_ENDED) >= slow_batches


def test_what_would_be_late_is_refused_at_once_until_the_device_is_fast_again(
    server: LiveServer, pool: ThreadPoolExecutor
) -> None:
    for number in range(1, 6):  # on a busy machine the slow batch may be forgotten before the next request comes
        start_slow_batch(server, pool).result()
        server.wait_for(partial(_has_ended, server, number))
        refused = server.score([FINE] * 8)
        if refused.status_code != 200:
            break
    assert (refused.status_code, refused.json()["code"]) == (413, "too_many_images")
    assert "the request has 1 s" in refused.json()["message"]
    server.wait_for(lambda: server.score([FINE] * 8).status_code == 200)
