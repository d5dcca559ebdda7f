import json
import threading
import time

import pytest

from server.engine.device import Device
from server.engine.scheduling.scheduler import Limits
from server.ipc.outcome import STAGES, RefusedError
from tests.support.engines.fake_model import FINE, NOT_FINITE, POISON, UNREADABLE, FakeModel
from tests.support.engines.pipeline_harness import Bench, Pending, codes


def test_a_request_is_scored_in_order() -> None:
    reply = Bench(FakeModel()).submit([FINE] * 9).wait()
    assert codes(reply) == ["ok"] * 9
    assert isinstance(reply.outcomes[0], bytes)
    assert json.loads(reply.outcomes[0]) == {"probs": [0.25, 0.75], "labels": ["can", "carton"]}
    assert tuple(reply.stages) == STAGES


def test_the_stages_of_an_image_in_several_batches_add_up_to_its_time() -> None:
    bench = Bench(FakeModel(seconds=0.05))
    started = time.monotonic()
    pending = [bench.submit([FINE], inputs=9) for _ in range(2)]
    replies = [(one.wait().stages, one.at - started) for one in pending]
    for stages, elapsed in replies:
        assert stages["device"] >= 0.1
        assert elapsed - 0.1 < sum(stages.values()) < elapsed + 0.01


def test_bad_images_fail_alone_and_never_enter_a_batch() -> None:
    bench = Bench(FakeModel())
    other = bench.submit([FINE])
    reply = bench.submit([FINE, UNREADABLE, FINE]).wait()
    assert codes(reply) == ["ok", "image_unreadable", "ok"]
    assert codes(other.wait()) == ["ok"]
    assert sum(bench.model.batches) == 3


def test_a_poisoned_batch_mate_harms_nobody_and_the_device_is_probed() -> None:
    bench = Bench(FakeModel(decode_s=0.01))
    replies = [bench.submit([FINE]), bench.submit([POISON]), bench.submit([FINE])]
    assert [codes(reply.wait()) for reply in replies] == [["ok"], ["scoring_failed"], ["ok"]]
    assert codes(bench.submit([FINE]).wait()) == ["ok"]
    assert not bench.broken.is_set()


def test_a_device_that_fails_its_probe_is_given_up() -> None:
    bench = Bench(FakeModel())
    bench.model.healthy = False
    assert codes(bench.submit([FINE]).wait()) == ["scoring_failed"]
    assert bench.broken.wait(5)


def test_outputs_that_are_no_numbers_are_no_prediction() -> None:
    reply = Bench(FakeModel()).submit([FINE, NOT_FINITE]).wait()
    assert codes(reply) == ["ok", "scoring_failed"]


def test_out_of_memory_is_survived_and_remembered() -> None:
    bench = Bench(FakeModel(memory=2, seconds=0.02))
    assert codes(bench.submit([FINE] * 12).wait()) == ["ok"] * 12
    bench.model.batches.clear()
    assert codes(bench.submit([FINE] * 12).wait()) == ["ok"] * 12
    assert max(bench.model.batches) <= 2


def busy_bench(**limits: float) -> tuple[Bench, Pending]:
    """A bench whose device is kept busy by the first batch of a request of four images."""
    bench = Bench(FakeModel(), **limits)
    bench.model.may_run.clear()
    running = bench.submit([FINE] * 4)
    assert bench.model.started.wait(5)
    return bench, running


def test_a_departed_client_costs_no_device_time() -> None:
    bench, running = busy_bench()
    waiting = bench.submit([FINE] * 8)
    assert isinstance(waiting.number, int)
    bench.pipeline.cancel(waiting.number)
    bench.model.may_run.set()
    assert codes(running.wait()) == ["ok"] * 4
    assert codes(bench.submit([FINE]).wait()) == ["ok"]
    assert sum(bench.model.batches) == 5
    assert not waiting.arrived
    assert bench.scheduler.depth() == 0


def test_a_request_past_its_deadline_is_answered_and_not_run() -> None:
    bench, running = busy_bench()
    late = bench.submit([FINE, FINE], within_s=0.05)
    assert codes(late.wait()) == ["deadline_exceeded"] * 2, "the answer does not wait for the device"
    assert not running.arrived
    bench.model.may_run.set()
    assert codes(running.wait()) == ["ok"] * 4
    assert sum(bench.model.batches) == 4


def test_a_full_queue_refuses_with_the_time_to_wait() -> None:
    bench = Bench(FakeModel(), queue_limit_s=0.1)
    bench.model.may_run.clear()
    bench.scheduler.learn("score", 100, 0.05)
    first = [bench.submit([FINE]) for _ in range(3)]
    refused = bench.submit([FINE])
    assert isinstance(refused.number, float)
    assert refused.number == pytest.approx(0.05, abs=0.02)
    bench.model.may_run.set()
    assert [codes(each.wait()) for each in first] == [["ok"]] * 3
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


def test_another_model_takes_over_between_two_batches() -> None:
    first, second = FakeModel(seconds=0.2), FakeModel()
    second.runtime = "faster"
    bench = Bench(first)
    running, waiting = bench.submit([FINE]), [bench.submit([FINE]) for _ in range(3)]
    bench.pipeline.replace_model(second, Limits(max_images=4, max_cost=400, decoders=2), [(100, 0.01)])
    assert [codes(each.wait()) for each in (running, *waiting)] == [["ok"]] * 4
    assert codes(bench.submit([FINE]).wait()) == ["ok"]
    assert sum(first.batches) + sum(second.batches) == 5
    assert second.batches, "the new one scores"
    value = bench.metrics.runtime.labels
    assert (value("fake", "eager")._value.get(), value("fake", "faster")._value.get()) == (0, 1)


def test_a_request_that_takes_too_long_is_refused_at_once_and_says_how_many_could_do() -> None:
    bench = Bench(FakeModel())
    bench.scheduler.learn("score", 100, 0.1)
    with pytest.raises(
        RefusedError, match=r"about 20 s here, and the request has 10 s\. Send at most (79|80) "
    ) as error:
        bench.submit([FINE] * 200)
    assert error.value.code == "too_many_images"
    assert codes(bench.submit([FINE] * 3).wait()) == ["ok"] * 3


def test_what_is_refused_for_its_time_is_measured_again() -> None:
    bench = Bench(FakeModel())
    bench.scheduler.learn("score", 100, 1000.0)
    with pytest.raises(RefusedError):
        bench.submit([FINE] * 4)
    end = time.monotonic() + 10
    while bench.scheduler.run_s("score", 100, 4) > 10:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert codes(bench.submit([FINE] * 4).wait()) == ["ok"] * 4
