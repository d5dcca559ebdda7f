"""Calls that end before their reply: cancelled, too late, or refused; and that cost nothing then."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.engines.faulty_model import LOGGED, coloured
from tests.support.grpc_calls import METHODS, channel_to, infer, infer_request, trailing
from tests.support.images import encoded, painted
from tests.support.servers.busy_device import start_slow_batch
from tests.support.servers.live_server import LiveServer
from tests.support.servers.other_model import other_model

FAULTY = other_model("tests.support.engines.faulty_model:FaultyModel")
FINE = encoded(painted(1, 80, 80), "PNG")
INFER = METHODS + "ModelInfer"
CODES = grpc.StatusCode


@pytest.fixture(scope="module")
def server(fridge_folder: Path) -> Iterator[LiveServer]:
    limits = ("--queue-limit-ms", "600000", "--request-timeout-ms", "1000")
    with LiveServer("--model", fridge_folder, "--grpc-port", "0", *limits, command=FAULTY) as running:
        yield running


@pytest.fixture(scope="module")
def model(fridge_folder: Path) -> str:
    return fridge_folder.name


@pytest.fixture
def channel(server: LiveServer) -> Iterator[grpc.Channel]:
    with channel_to(server.grpc_address) as channel:
        yield channel


def test_a_message_that_does_not_come_is_given_up(channel: grpc.Channel) -> None:
    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(60)
        yield from ()

    try:
        with pytest.raises(grpc.RpcError, match="did not arrive in time") as caught:
            channel.stream_unary(INFER)(nothing(), timeout=60)
    finally:
        over.set()
    assert caught.value.code() is CODES.DEADLINE_EXCEEDED
    with pytest.raises(grpc.RpcError, match="without a message") as caught:
        channel.stream_unary(INFER)(iter(()), timeout=60)
    assert caught.value.code() is CODES.INVALID_ARGUMENT


def test_refused_messages_leave_no_memory_behind(server: LiveServer, channel: grpc.Channel) -> None:
    call = channel.unary_unary(METHODS + "ModelInfer")
    (process,) = server.children("server.api")
    message = infer_request(b"x" * 30 * 2**20, model="none").SerializeToString()
    used = []
    for _ in range(16):
        with pytest.raises(grpc.RpcError, match="no model 'none'"):
            call(message, timeout=60)
        used.append(process.memory_info().rss)
    assert used[-1] - used[3] < 8 * len(message), "of twelve messages"


def test_errors_of_the_model_are_those_of_http(channel: grpc.Channel, server: LiveServer, model: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(infer_request(coloured("poison"), model=model))
    assert (caught.value.code(), trailing(caught.value)["error-code"]) == (CODES.INTERNAL, "scoring_failed")
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel)(infer_request(coloured("kill"), model=model))
    assert (caught.value.code(), trailing(caught.value)["error-code"]) == (CODES.UNAVAILABLE, "engine_unavailable")
    check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"") == b"\x08\x02", "not serving"
    assert check(b"\x0a\x04live") == b"\x08\x01"
    assert channel.unary_unary(METHODS + "ServerReady")(b"") == b"", "false"
    server.wait_for(lambda: check(b"") == b"\x08\x01")
    server.wait_for(lambda: server.probe("/health/ready") == 200)


def test_calls_that_end_while_the_device_is_busy_cost_no_time_of_it(
    server: LiveServer, channel: grpc.Channel, model: str
) -> None:
    """Cancelled by the client, late for the client, or late for the server."""

    def unwanted() -> float:
        return server.metric("sightglass_cancelled_images_total") + server.metric(
            "sightglass_dropped_images_total", reason="deadline"
        )

    def counted(code: str) -> float:
        return server.metric("sightglass_requests_total", code=code, route=INFER)

    before, left, late = unwanted(), counted("499"), counted("504")
    request = infer_request(coloured("logged"), model=model)
    with ThreadPoolExecutor(1) as pool:
        slow = start_slow_batch(server, pool)
        cancelled = [infer(channel).future(request) for _ in range(5)]
        impatient = infer(channel).future(request, timeout=0.3)
        patient = infer(channel).future(request, timeout=60)
        assert impatient.code() is CODES.DEADLINE_EXCEEDED
        for call in cancelled:
            call.cancel()
        assert patient.code() is CODES.DEADLINE_EXCEEDED
        assert trailing(patient)["error-code"] == "deadline_exceeded"
        slow.result()
    server.wait_for(lambda: unwanted() >= before + 7)
    server.wait_for(lambda: server.score([FINE]).status_code == 200)
    assert LOGGED not in server.log()
    assert (counted("499"), counted("504")) == (left + 5, late + 2)
