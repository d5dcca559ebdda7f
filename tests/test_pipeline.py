import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.images import ImageLimits
from server.engine.device import Device
from server.engine.outcome import STAGES, Failure, Reply
from server.engine.pipeline import Pipeline
from server.engine.scheduler import Limits, Scheduler
from server.metrics import Metrics
from tests.fakes import FINE, NOT_FINITE, POISON, UNREADABLE, FakeModel


class Bench:
    """A pipeline around a fake model, with its replies and its state of health."""

    def __init__(self, model: FakeModel, **limits: float) -> None:
        defaults = {"max_images": 4, "max_cost": 400, "decoders": 2}
        self.model = model
        self.metrics = Metrics()
        self.health: list[bool] = []
        self.broken = threading.Event()
        self.scheduler = Scheduler(Limits(**(defaults | limits)), {"score": 1.0})  # type: ignore[arg-type]
        self.pipeline = Pipeline(
            Device(model),
            None,
            ThreadPoolExecutor(1),
            self.scheduler,
            ImageLimits(10**6, 10**6),
            metrics=self.metrics,
            cpu_threads=2,
            health=self.health.append,
            broken=self.broken.set,
            wake=self.wake,
        )

    def wake(self, at: float) -> None:
        timer = threading.Timer(max(0.0, at - time.monotonic()), self.pipeline.tick)
        timer.daemon = True
        timer.start()

    def submit(self, pictures: Sequence[bytes], within_s: float = 10) -> "Pending":
        pending = Pending()
        number = self.pipeline.submit(pictures, time.monotonic() + within_s, pending.answer)
        pending.number = number
        return pending


class Pending:
    """One request's reply, when it comes."""

    def __init__(self) -> None:
        self.number: int | float = 0
        self._reply: list[Reply] = []
        self._arrived = threading.Event()

    def answer(self, reply: Reply) -> None:
        self._reply.append(reply)
        self._arrived.set()

    def wait(self, within_s: float = 10) -> Reply:
        assert self._arrived.wait(within_s), "no reply"
        assert len(self._reply) == 1, "more than one reply"
        return self._reply[0]

    @property
    def arrived(self) -> bool:
        return self._arrived.is_set()


def codes(reply: Reply) -> list[str]:
    return [outcome.code if isinstance(outcome, Failure) else "ok" for outcome in reply.outcomes]


def test_a_request_is_scored_in_order() -> None:
    reply = Bench(FakeModel()).submit([FINE] * 9).wait()
    assert codes(reply) == ["ok"] * 9
    assert isinstance(reply.outcomes[0], bytes)
    assert json.loads(reply.outcomes[0]) == {"probs": [0.25, 0.75], "labels": ["can", "carton"]}
    assert tuple(reply.stages) == STAGES


def test_bad_pictures_fail_alone_and_never_enter_a_batch() -> None:
    bench = Bench(FakeModel())
    other = bench.submit([FINE])
    reply = bench.submit([FINE, UNREADABLE, FINE]).wait()
    assert codes(reply) == ["ok", "image_unreadable", "ok"]
    assert codes(other.wait()) == ["ok"]
    assert sum(bench.model.batches) == 3
    assert bench.health == []


def test_a_poisoned_batch_mate_harms_nobody_and_the_device_is_probed() -> None:
    bench = Bench(FakeModel(decode_s=0.01))
    replies = [bench.submit([FINE]), bench.submit([POISON]), bench.submit([FINE])]
    assert [codes(reply.wait()) for reply in replies] == [["ok"], ["scoring_failed"], ["ok"]]
    assert codes(bench.submit([FINE]).wait()) == ["ok"]
    assert bench.health == [False, True]
    assert not bench.broken.is_set()


def test_a_device_that_fails_its_probe_is_given_up() -> None:
    bench = Bench(FakeModel())
    bench.model.healthy = False
    assert codes(bench.submit([FINE]).wait()) == ["scoring_failed"]
    assert bench.broken.wait(5)
    assert bench.health == [False]


def test_outputs_that_are_no_numbers_are_no_prediction() -> None:
    reply = Bench(FakeModel()).submit([FINE, NOT_FINITE]).wait()
    assert codes(reply) == ["ok", "scoring_failed"]


def test_out_of_memory_is_survived_and_remembered() -> None:
    bench = Bench(FakeModel(memory=2, seconds=0.02))
    assert codes(bench.submit([FINE] * 12).wait()) == ["ok"] * 12
    bench.model.batches.clear()
    assert codes(bench.submit([FINE] * 12).wait()) == ["ok"] * 12
    assert max(bench.model.batches) <= 2


def test_a_departed_client_costs_no_device_time() -> None:
    bench = Bench(FakeModel(seconds=0.1))
    running = bench.submit([FINE] * 4)
    time.sleep(0.05)
    waiting = bench.submit([FINE] * 8)
    assert isinstance(waiting.number, int)
    bench.pipeline.cancel(waiting.number)
    assert codes(running.wait()) == ["ok"] * 4
    time.sleep(0.3)
    assert not waiting.arrived
    assert sum(bench.model.batches) == 4
    assert bench.scheduler.depth() == 0


def test_a_request_past_its_deadline_is_answered_and_not_run() -> None:
    bench = Bench(FakeModel(seconds=0.3))
    running = bench.submit([FINE] * 4)
    time.sleep(0.05)
    late = bench.submit([FINE, FINE], within_s=0.1)
    assert codes(late.wait(0.25)) == ["deadline_exceeded"] * 2, "the answer comes at the deadline, not later"
    assert codes(running.wait()) == ["ok"] * 4
    assert sum(bench.model.batches) == 4


def test_a_full_queue_refuses_with_the_time_to_wait() -> None:
    bench = Bench(FakeModel(seconds=0.2), queue_limit_s=0.1)
    bench.scheduler.learn("score", 100, 0.05)
    first = bench.submit([FINE] * 8)
    refused = bench.submit([FINE])
    assert isinstance(refused.number, float)
    assert refused.number == pytest.approx(0.3, abs=0.05)
    assert codes(first.wait()) == ["ok"] * 8
    assert not refused.arrived


def test_a_bug_in_a_step_ends_the_process_instead_of_hanging_its_requests() -> None:
    bench = Bench(FakeModel())
    bench.model.outputs = None  # type: ignore[assignment]
    Device.run, original = lambda self, jobs: 1 / 0, Device.run  # type: ignore[assignment, return-value]
    try:
        bench.submit([FINE])
        assert bench.broken.wait(5)
    finally:
        Device.run = original  # type: ignore[method-assign]


def test_many_threads_get_their_own_answers() -> None:
    bench = Bench(FakeModel(decode_s=0.0005))
    failures: list[str] = []

    def client(seed: int) -> None:
        for step in range(20):
            kinds = [(FINE, UNREADABLE, POISON)[(seed * step + position) % 11 % 3] for position in range(3)]
            expected = [{FINE: "ok", UNREADABLE: "image_unreadable", POISON: "scoring_failed"}[kind] for kind in kinds]
            if (found := codes(bench.submit(kinds).wait())) != expected:
                failures.append(f"{expected} but got {found}")

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert bench.scheduler.depth() == 0
