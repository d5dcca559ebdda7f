"""Keys, several processes, a full queue and the end of a server, for clients of gRPC."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.support.engines.faulty_model import SLOW, coloured
from tests.support.grpc_calls import METHODS, channel_to, infer, infer_request, trailing
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer, run_server
from tests.support.servers.other_model import other_model

FAULTY = other_model("tests.support.engines.faulty_model:FaultyModel")
FINE = encoded(painted(1, 80, 80), "PNG")
KEY = [("authorization", "Bearer first")]
CODES = grpc.StatusCode


@pytest.fixture
def server(fridge_folder: Path, tmp_path: Path) -> Iterator[LiveServer]:
    (tmp_path / "keys").write_text("first\nsecond\n")
    flags = ("--http-processes", "2", "--keys-file", tmp_path / "keys", "--drain-delay-ms", "500")
    with LiveServer("--model", fridge_folder, "--grpc-port", "0", *flags, command=FAULTY) as running:
        yield running


def test_a_server_with_keys_from_its_first_call_to_its_last(server: LiveServer, fridge_folder: Path) -> None:
    """One server for all of it, as each takes seconds to start."""
    model = fridge_folder.name
    with channel_to(server.grpc_address) as channel:
        _assert_keys(channel, model)
    _assert_port_is_taken(server, fridge_folder)
    _assert_a_killed_process_is_replaced(server, model)
    _assert_drain(server, model)


def _assert_keys(channel: grpc.Channel, model: str) -> None:
    call = infer(channel)
    for metadata in ([], [("authorization", "Bearer third")], [("authorization", "first")]):
        with pytest.raises(grpc.RpcError) as caught:
            call(infer_request(FINE, model=model), metadata=metadata)
        assert caught.value.code() is CODES.UNAUTHENTICATED
        assert trailing(caught.value)["error-code"] == "unauthorized"
    for key in ("first", "second"):
        assert call(infer_request(FINE, model=model), metadata=[("authorization", f"Bearer {key}")]).model_name == model
    assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01", "probes need no key"
    over = threading.Event()

    def never() -> Iterator[bytes]:
        over.wait(60)
        yield from ()

    with pytest.raises(grpc.RpcError) as caught:
        channel.stream_unary(METHODS + "ModelInfer")(never(), timeout=20)
    over.set()
    assert caught.value.code() is CODES.UNAUTHENTICATED, "before the message is there"


def _assert_port_is_taken(server: LiveServer, folder: Path) -> None:
    port = server.grpc_address.rpartition(":")[2]
    done = run_server("--model", folder, "--port", "0", "--grpc-port", port)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr
    assert "Choose another --grpc-port" in done.stderr


def _assert_a_killed_process_is_replaced(server: LiveServer, model: str) -> None:
    pids = {child.pid for child in server.children("server.api")}
    victim = server.children("server.api")[0]
    victim.kill()
    victim.wait(10)
    server.wait_for(lambda: len({child.pid for child in server.children("server.api")} - pids) == 1)

    def answers() -> bool:
        with channel_to(server.grpc_address) as channel:
            return bool(infer(channel)(infer_request(FINE, model=model), metadata=KEY, wait_for_ready=True).outputs)

    assert all(answers() for _ in range(10)), "wherever the kernel sends a connection"


def _assert_drain(server: LiveServer, model: str) -> None:
    """Calls in flight are answered, also one on the device; calls after that are UNAVAILABLE; none is lost."""
    outcomes: list[str] = []  # appended to by several threads
    address = server.grpc_address  # which reads the log, as only one thread may

    def ask() -> None:
        with channel_to(address) as channel:
            call = infer(channel)
            while True:
                try:
                    call(infer_request(FINE, model=model), metadata=KEY, timeout=30)
                    outcomes.append("OK")
                except grpc.RpcError as error:
                    outcomes.append(error.code().name)
                    if error.code() is CODES.UNAVAILABLE:
                        return
                    outcomes.append(repr(error))

    with channel_to(server.grpc_address) as channel:
        changes = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(changes) == b"\x08\x01"
        answered = server.log().count(f"status=200 method=gRPC route={METHODS}ModelInfer")
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        server.wait_for(lambda: outcomes.count("OK") > 50)
        slow = infer(channel).future(infer_request(coloured("slow"), model=model), metadata=KEY)
        server.wait_for(lambda: SLOW in server.log())
        server.process.send_signal(signal.SIGTERM)
        assert next(changes) == b"\x08\x02", "told before the port closes"
        with pytest.raises(StopIteration):
            next(changes)
        for thread in threads:
            thread.join(60)
        assert slow.result().model_name == model
    assert server.process.wait(30) == 0
    assert set(outcomes) == {"OK", "UNAVAILABLE"}
    assert outcomes.count("UNAVAILABLE") == 8
    counted = server.log().count(f"status=200 method=gRPC route={METHODS}ModelInfer") - answered
    assert counted == outcomes.count("OK") + 1, "each call that was scored has its reply"


def test_a_full_queue_says_when_to_come_back(fridge_folder: Path) -> None:
    flags = ("--grpc-port", "0", "--queue-limit-ms", "1")
    with LiveServer("--model", fridge_folder, *flags, command=FAULTY) as server, channel_to(server.grpc_address) as one:
        model = fridge_folder.name
        slow = infer(one).future(infer_request(coloured("slow"), model=model))
        server.wait_for(lambda: SLOW in server.log())
        with pytest.raises(grpc.RpcError) as caught:
            infer(one)(infer_request(FINE, model=model))
        assert caught.value.code() is CODES.RESOURCE_EXHAUSTED
        found = trailing(caught.value)
        assert found["error-code"] == "queue_full"
        assert 0 < int(found["grpc-retry-pushback-ms"]) <= 30_000
        retry = error_details_pb2.RetryInfo()
        assert rpc_status.from_call(caught.value).details[1].Unpack(retry)
        assert retry.retry_delay.ToMilliseconds() == int(found["grpc-retry-pushback-ms"])
        assert server.metric("sightglass_dropped_images_total", reason="queue_full") == 1
        assert slow.result().model_name == model
        time.sleep(0.1)
        server.wait_for(lambda: server.score([FINE]).status_code == 200)
