"""Images with several inputs: their inputs share batches, and other images take their turn in between."""

import pytest

from server.ipc.outcome import RefusedError
from tests.support.engines.fake_model import FINE, POISON, FakeModel
from tests.support.engines.pipeline_harness import Bench, codes
from tests.support.engines.scheduler_harness import IMAGE, decode_all, make_jobs, make_scheduler, run_batch


def test_inputs_of_an_image_are_batched_by_their_shape() -> None:
    bench = Bench(FakeModel())
    assert codes(bench.submit([FINE], inputs=7).wait()) == ["ok"]
    assert bench.model.batches == [1, 4, 2], "the whole image, then its tiles"
    assert bench.scheduler.depth() == 0


def test_inputs_of_different_images_share_a_batch() -> None:
    bench = Bench(FakeModel(seconds=0.05))
    assert codes(bench.submit([FINE, FINE], inputs=3).wait()) == ["ok", "ok"]
    assert sum(bench.model.batches) == 6
    assert max(bench.model.batches) == 4, "all the tiles of both"


def test_others_take_their_turn_between_the_inputs_of_a_large_image() -> None:
    bench = Bench(FakeModel(seconds=0.005), max_images=1)
    bench.model.may_run.clear()
    large = bench.submit([FINE], inputs=40)
    assert bench.model.started.wait(5)
    small = bench.submit([FINE])
    bench.model.may_run.set()
    assert codes(small.wait()) == codes(large.wait()) == ["ok"]
    assert small.at < large.at


def test_an_input_that_fails_fails_its_image_alone() -> None:
    bench = Bench(FakeModel())
    assert codes(bench.submit([FINE, POISON, FINE], inputs=3).wait()) == ["ok", "scoring_failed", "ok"]
    assert bench.scheduler.depth() == 0


def test_a_batch_of_inputs_that_does_not_fit_is_halved() -> None:
    bench = Bench(FakeModel(memory=2), max_images=8, max_cost=800)
    assert codes(bench.submit([FINE], inputs=9).wait()) == ["ok"]
    assert bench.model.batches[:4] == [1, 8, 4, 2]


def test_a_departed_client_costs_no_further_inputs() -> None:
    bench = Bench(FakeModel(), max_images=1)
    bench.model.may_run.clear()
    large = bench.submit([FINE], inputs=50)
    assert bench.model.started.wait(5)
    assert isinstance(large.number, int)
    bench.pipeline.cancel(large.number)
    bench.model.may_run.set()
    assert codes(bench.submit([FINE]).wait()) == ["ok"]
    assert bench.model.batches == [1, 1], "the batch that was running, and that of another request"
    assert bench.scheduler.depth() == 0
    assert not large.arrived


def test_more_inputs_than_the_deadline_allows_are_refused() -> None:
    bench = Bench(FakeModel())
    bench.scheduler.learn("score", 100, 0.5)
    with pytest.raises(RefusedError, match="takes 100 passes through the model, about 50 s here") as caught:
        bench.submit([FINE], inputs=100)
    assert caught.value.code == "deadline_exceeded"
    assert codes(bench.submit([FINE], inputs=10).wait()) == ["ok"]


def test_only_jobs_of_one_shape_share_a_batch_and_the_first_due_decides_which() -> None:
    scheduler = make_scheduler()
    for number, shape in enumerate(["wide", "tall", "wide", "tall", "wide"]):
        (job,) = make_jobs(number, now=float(number))
        job.shape = shape
        assert scheduler.admit([job], float(number)) is None
        decode_all(scheduler)
    assert [request for request, _ in run_batch(scheduler, 9.0)] == [0, 2, 4]
    assert [request for request, _ in run_batch(scheduler, 9.0)] == [1, 3]
    assert scheduler.next_batch(9.0) is None


def test_what_an_image_costs_is_known_once_it_is_decoded() -> None:
    scheduler = make_scheduler(queue_limit_s=1.0)
    scheduler.learn("score", IMAGE, 0.1)
    (job,) = make_jobs(1)
    scheduler.admit([job], 0.0)
    assert scheduler.wait_s("score") == pytest.approx(0.1)
    assert scheduler.next_decode() is job
    scheduler.decoded(job, 0.001, 0.0, passes=3, cost=2 * IMAGE)
    assert scheduler.wait_s("score") == pytest.approx(0.6)
    batch = scheduler.next_batch(0.0)
    assert batch is not None
    scheduler.finished(batch, 0.6)
    assert scheduler.wait_s("score") == 0.0
