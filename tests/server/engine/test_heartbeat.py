"""A hang is noticed by the engine itself, or by its parent where the engine cannot even say that it hangs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.engine.device import Device
from server.engine.heartbeat import Heartbeat
from server.ipc.parent_pipe import hang_limit_s
from settings.server import ServerSettings
from tests.support.engines.fake_model import FakeModel
from tests.support.engines.faulty_model import HANGS, coloured
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer
from tests.support.servers.other_model import other_model

FAULTY = other_model("tests.support.engines.faulty_model:FaultyModel")
FINE = encoded(painted(1, 80, 80), "PNG")


def test_only_a_single_step_that_does_not_end_is_a_hang() -> None:
    broken: list[bool] = []
    device = Device(FakeModel())
    heartbeat = Heartbeat(device, 3.0, lambda: broken.append(True))
    for _ in range(10):
        with device.computing():
            heartbeat.beat()  # each beat meets another step
    for _ in range(10):
        heartbeat.beat()  # or none
    assert not broken
    with device.computing():
        for _ in range(4):
            heartbeat.beat()
        assert not broken
        heartbeat.beat()
    assert broken


@pytest.mark.parametrize(("timeout_ms", "limit_s"), [(1, 10), (5_000, 10), (30_000, 60), (3_600_000, 300)])
def test_a_hang_lasts_two_timeouts_within_bounds(timeout_ms: int, limit_s: float) -> None:
    assert hang_limit_s(ServerSettings(request_timeout_ms=timeout_ms)) == limit_s


@pytest.fixture
def server(fridge_folder: Path) -> Iterator[LiveServer]:
    flags = ("--request-timeout-ms", "1000", "--queue-limit-ms", "600000", "--device", "cpu,cpu", "--cpu-threads", "1")
    with LiveServer("--model", fridge_folder, *flags, command=FAULTY) as running:
        running.wait_for(lambda: running.log().count("engine ready") == 2)
        yield running


def test_engines_that_hang_or_are_stopped_are_replaced(server: LiveServer) -> None:
    engines = server.children("tests.support.servers.other_model")
    hung = server.score([coloured("hang")])
    assert (hung.status_code, hung.json()["code"]) == (504, "deadline_exceeded")
    (idle,) = (engine for engine in engines if f"{HANGS}{engine.pid}" not in server.log())
    idle.suspend()
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: server.score([FINE]).status_code, range(2)))
    assert set(replies) <= {503, 504}
    server.wait_for(lambda: not any(engine.is_running() for engine in engines), 60)
    server.wait_ready()
    assert server.score([FINE]).status_code == 200
    assert "the device hangs, replacing the engine" in server.log()
    assert "process hangs, killing it role='engine'" in server.log()
    assert server.metric("sightglass_engine_restarts_total") == 2
