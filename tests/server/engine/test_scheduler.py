from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from tests.support.engines.scheduler_harness import (
    IMAGE,
    admit_each,
    cpu_task,
    decode_all,
    make_jobs,
    make_scheduler,
    run_batch,
)


def test_a_free_device_takes_what_is_ready_at_once() -> None:
    scheduler = make_scheduler()
    assert scheduler.admit(make_jobs(1, 2), now=0.0) is None
    decode_all(scheduler)
    assert run_batch(scheduler, now=0.0) == [(1, 0), (1, 1)]
    assert scheduler.depth() == 0


def test_nothing_starts_while_the_device_is_busy() -> None:
    scheduler = make_scheduler()
    scheduler.admit(make_jobs(1), 0.0)
    decode_all(scheduler)
    batch = scheduler.next_batch(0.0)
    assert batch is not None
    scheduler.admit(make_jobs(2), 0.0)
    decode_all(scheduler)
    assert scheduler.next_batch(0.0) is None
    scheduler.finished(batch, 0.1)
    assert run_batch(scheduler, 0.1) == [(2, 0)]


def test_batches_are_bounded_by_cost_and_what_does_not_fit_stays_first() -> None:
    scheduler = make_scheduler(max_images=10, max_cost=3 * IMAGE)
    scheduler.admit(make_jobs(1, 2), 0.0)
    scheduler.admit(make_jobs(2, 1, cost=2 * IMAGE), 0.001)
    scheduler.admit(make_jobs(3, 1), 0.002)
    decode_all(scheduler, 0.002)
    assert run_batch(scheduler, 0.01) == [(1, 0), (1, 1)]
    assert run_batch(scheduler, 0.01) == [(2, 0), (3, 0)]


def test_a_job_larger_than_any_batch_runs_alone() -> None:
    scheduler = make_scheduler(max_cost=IMAGE)
    scheduler.admit(make_jobs(1, 1, cost=5 * IMAGE), 0.0)
    decode_all(scheduler)
    assert run_batch(scheduler, 0.0) == [(1, 0)]


def test_out_of_memory_is_remembered() -> None:
    scheduler = make_scheduler()
    scheduler.admit(make_jobs(1, 4), 0.0)
    decode_all(scheduler)
    batch = scheduler.next_batch(0.0)
    assert batch is not None and len(batch.jobs) == 4
    scheduler.shrink(batch.cost)
    scheduler.finished(batch, 0.1, learn=False)
    scheduler.admit(make_jobs(2, 4), 0.0)
    decode_all(scheduler)
    assert len(run_batch(scheduler, 0.2)) == 2


def test_decoding_runs_only_a_little_ahead_of_the_device() -> None:
    scheduler = make_scheduler(decoders=100)
    scheduler.admit(make_jobs(1, 50), 0.0)
    decode_all(scheduler)
    assert scheduler.next_decode() is None
    assert len(run_batch(scheduler, 0.0)) == 4
    ahead = 0
    while scheduler.next_decode() is not None:
        ahead += 1
    assert ahead == 4  # refilled by just what was taken


def test_no_more_jobs_are_decoded_at_once_than_there_are_decoders() -> None:
    scheduler = make_scheduler(decoders=2)
    scheduler.admit(make_jobs(1, 5), 0.0)
    assert [scheduler.next_decode() is not None for _ in range(3)] == [True, True, False]


def test_it_waits_for_a_decoder_no_longer_than_joining_saves() -> None:
    scheduler = make_scheduler()
    for images in (1, 2, 4):  # 10 ms an image and 20 ms a batch
        scheduler.learn("score", images * IMAGE, 0.02 + 0.01 * images)
    scheduler.admit(make_jobs(1, 2), 0.0)
    first, second = scheduler.next_decode(), scheduler.next_decode()
    assert first is not None and second is not None
    scheduler.decoded(first, 0.003, now=0.003)
    assert scheduler.next_batch(0.003) is None
    assert scheduler.wake_at() == pytest.approx(0.023)
    scheduler.decoded(second, 0.004, now=0.004)
    assert run_batch(scheduler, 0.004) == [(1, 0), (1, 1)]


def test_a_slow_decoder_holds_nobody_up_for_longer_than_that() -> None:
    scheduler = make_scheduler()
    for images in (1, 2, 4):
        scheduler.learn("score", images * IMAGE, 0.02 + 0.01 * images)
    scheduler.admit(make_jobs(1, 2), 0.0)
    first, _ = scheduler.next_decode(), scheduler.next_decode()
    assert first is not None
    scheduler.decoded(first, 0.003, now=0.003)
    assert run_batch(scheduler, 0.0231) == [(1, 0)]


def test_decoders_and_a_device_on_the_same_cores_take_turns() -> None:
    scheduler = make_scheduler(shared_cores=True)
    scheduler.admit(make_jobs(1, 2), 0.0)
    decode_all(scheduler)
    batch = scheduler.next_batch(0.0)
    assert batch is not None
    scheduler.admit(make_jobs(2, 9), 0.0)
    assert scheduler.next_decode() is None, "the batch has the cores"
    scheduler.finished(batch, 0.1)
    decoding = [scheduler.next_decode(), scheduler.next_decode()]
    assert scheduler.next_batch(0.1) is None
    for job in decoding:
        assert job is not None
        scheduler.decoded(job, 0.01, 0.11)
    assert scheduler.next_decode() is not None, "a fuller batch is worth a moment"
    assert scheduler.next_batch(0.11) is None
    wake_at = scheduler.wake_at() or 0.0
    assert wake_at == pytest.approx(0.11 + 2 * 4 * 0.01 / 2, rel=0.2), "of four pictures by two decoders, twice over"
    assert len(run_batch(scheduler, wake_at)) == 2, "a slow decoder holds nobody up for longer"


def test_an_optional_delay_counts_from_arrival() -> None:
    scheduler = make_scheduler(max_delay_s=0.05)
    scheduler.admit(make_jobs(1, now=1.0), 1.0)
    decode_all(scheduler, 1.03)
    assert scheduler.next_batch(1.03) is None
    assert scheduler.wake_at() == pytest.approx(1.05)
    assert run_batch(scheduler, 1.05) == [(1, 0)]


def test_a_full_batch_ends_the_delay() -> None:
    scheduler = make_scheduler(max_delay_s=10.0)
    scheduler.admit(make_jobs(1, 4), 0.0)
    decode_all(scheduler)
    assert len(run_batch(scheduler, 0.0)) == 4


def test_a_large_request_neither_blocks_small_ones_nor_starves() -> None:
    scheduler = make_scheduler(decoders=100)
    scheduler.learn("score", IMAGE, 0.1)  # 0.1 s an image: the large request is due over 2 s
    scheduler.admit(make_jobs(1, 20, now=0.0), 0.0)
    order: list[tuple[int, int]] = []
    now, request = 0.0, 2
    while len([entry for entry in order if entry[0] == 1]) < 20:
        scheduler.admit(make_jobs(request, 2, now=now), now)  # and small ones keep coming, half of all work
        request += 1
        decode_all(scheduler, now)
        order += run_batch(scheduler, now, 0.4)
        now += 0.4
    assert order.index((2, 0)) < 8, "a small request waits for a batch or two, not for the twenty pictures"
    assert now < 6, "the large request is served in its turn although small ones never stop"


def test_the_queue_is_bounded_in_predicted_time() -> None:
    scheduler = make_scheduler(queue_limit_s=1.0)
    scheduler.learn("score", IMAGE, 0.1)
    admit_each(scheduler, 10)
    assert scheduler.admit(make_jobs(1, 5), 0.0) is None, "it begins in time"
    wait = scheduler.admit(make_jobs(2), 0.0)
    assert wait == pytest.approx(0.1)
    assert scheduler.depth() == 15, "a refused request leaves nothing behind"


def test_a_large_request_keeps_no_small_one_out() -> None:
    scheduler = make_scheduler(queue_limit_s=1.0)
    scheduler.learn("score", IMAGE, 0.1)
    assert scheduler.admit(make_jobs(1, 300), 0.0) is None
    admit_each(scheduler, 9)
    assert scheduler.admit(make_jobs(2), 4.0) is not None, "by then, twenty of its images were due"
    assert scheduler.admit(make_jobs(3), 0.0) is None


def test_a_request_is_refused_where_its_last_image_would_end_too_late() -> None:
    scheduler = make_scheduler()
    scheduler.learn("score", IMAGE, 0.1)
    assert scheduler.admit(make_jobs(1, 400), 0.0) is None
    assert scheduler.admit(make_jobs(2, 300), 0.0) == pytest.approx(10)
    assert scheduler.admit(make_jobs(3, 100), 0.0) is None
    assert scheduler.admit(make_jobs(4, 6000), 0.0) == 60, "all that is queued now has ended by its deadline"


def test_a_queue_that_is_just_full_is_worth_asking_again_once_there_is_room_for_some() -> None:
    scheduler = make_scheduler(queue_limit_s=5.0)
    scheduler.learn("score", IMAGE, 0.1)
    admit_each(scheduler, 51)
    assert scheduler.depth() == 51, "as long as it would begin in time"
    assert scheduler.admit(make_jobs(3), 0.0) == pytest.approx(0.1)


def test_a_request_that_would_miss_its_deadline_in_the_queue_is_refused_at_once() -> None:
    scheduler = make_scheduler(queue_limit_s=100.0)
    scheduler.learn("score", IMAGE, 0.1)
    admit_each(scheduler, 20)
    urgent = make_jobs(2)
    urgent[0].deadline = 0.5
    assert scheduler.admit(urgent, 0.0) == 0.5, "nothing is left of these by its deadline"


def test_slow_decoding_counts_towards_the_backlog() -> None:
    scheduler = make_scheduler(queue_limit_s=1.0, decoders=2)
    scheduler.learn("score", IMAGE, 0.001)
    scheduler.decoder.observe(10, 0.5)
    admit_each(scheduler, 4)
    scheduler.admit(make_jobs(1, 3), 0.0)
    assert scheduler.wait_s("score") == pytest.approx(1.75)
    assert scheduler.admit(make_jobs(2), 0.0) == pytest.approx(0.25), "two of the three are not due yet"


def test_a_cancelled_request_never_reaches_the_device() -> None:
    scheduler = make_scheduler()
    scheduler.admit(make_jobs(1, 3), 0.0)
    scheduler.admit(make_jobs(2), 0.0)
    decoding = scheduler.next_decode()
    assert decoding is not None
    assert len(scheduler.cancel(1)) == 3
    scheduler.decoded(decoding, 0.001, 0.0)
    decode_all(scheduler)
    assert run_batch(scheduler, 0.0) == [(2, 0)]
    assert scheduler.depth() == 0


def test_cancelling_what_runs_spares_nothing_and_breaks_nothing() -> None:
    scheduler = make_scheduler()
    scheduler.admit(make_jobs(1), 0.0)
    scheduler.admit(make_jobs(2), 0.0)
    decode_all(scheduler)
    batch = scheduler.next_batch(0.0)
    assert batch is not None and len(batch.jobs) == 2
    assert scheduler.cancel(1) == []
    scheduler.finished(batch, 0.1)
    assert scheduler.depth() == 0
    assert scheduler.cancel(99) == []


def test_expired_requests_are_reported_once_and_dropped() -> None:
    scheduler = make_scheduler()
    scheduler.admit(make_jobs(1, 2), 0.0)
    scheduler.admit(make_jobs(2, now=30.0), 30.0)
    assert scheduler.wake_at() == 60.0
    decode_all(scheduler)
    assert scheduler.expire(60.0) == [1]
    assert scheduler.expire(60.0) == []
    assert run_batch(scheduler, 60.0) == [(2, 0)]


def test_a_backlog_of_explanations_does_not_keep_scoring_out() -> None:
    scheduler = make_scheduler(queue_limit_s=1.0)
    scheduler.learn("score", IMAGE, 0.1)
    scheduler.learn("explain", IMAGE, 1.0)
    scheduler.limits = replace(scheduler.limits, queue_limit_s=60.0)
    admit_each(scheduler, 50, lane="explain")
    scheduler.limits = replace(scheduler.limits, queue_limit_s=1.0)
    assert scheduler.admit(make_jobs(2, lane="explain"), 0.0) == pytest.approx(49)
    assert scheduler.admit(make_jobs(3, 8), 0.0) is None
    assert scheduler.wait_s("score") == pytest.approx(0.8 * 9 / 8), "eight ninths of the device are for scoring"


def test_lanes_share_the_device_by_weight_and_never_a_batch() -> None:
    scheduler = make_scheduler(decoders=1000)
    used: Counter[str] = Counter()
    now, request = 0.0, 1
    for _ in range(900):
        for lane in ("score", "explain"):
            scheduler.admit(make_jobs(request, 4, now, lane), now)
            request += 1
        decode_all(scheduler, now)
        batch = scheduler.next_batch(now)
        assert batch is not None
        assert {job.lane for job in batch.jobs} == {batch.lane}
        scheduler.finished(batch, 0.1)
        used[batch.lane] += 1
        now += 0.1
        for job in batch.jobs:
            scheduler.cancel(job.request)
    assert used["score"] / used["explain"] == pytest.approx(8.0, rel=0.02)


def test_an_idle_lane_saves_up_no_claim() -> None:
    scheduler = make_scheduler()
    now = 0.0
    for request in range(1, 200):  # only scoring for a long time
        scheduler.admit(make_jobs(request, 4, now), now)
        decode_all(scheduler, now)
        run_batch(scheduler, now)
        now += 0.1
    lanes = []
    for request in range(200, 240):
        scheduler.admit(make_jobs(2 * request, 4, now, "explain"), now)
        scheduler.admit(make_jobs(2 * request + 1, 4, now), now)
        decode_all(scheduler, now)
        batch = scheduler.next_batch(now)
        assert batch is not None
        lanes.append(batch.lane)
        scheduler.finished(batch, 0.1)
        now += 0.1
    assert lanes.count("explain") < 10, "explanations may not catch up on the time they did not ask for"


def test_cpu_tasks_keep_off_the_cores_of_a_batch_and_batches_off_theirs() -> None:
    scheduler = make_scheduler(shared_cores=True)
    scheduler.admit(make_jobs(1), 0.0)
    decode_all(scheduler)
    batch = scheduler.next_batch(0.0)
    assert batch is not None
    work = [partial(cpu_task) for _ in range(3)]
    for one in work:
        scheduler.add_cpu_task("explain", one)
    assert scheduler.next_cpu_task() is None
    scheduler.finished(batch, 0.1)
    scheduler.admit(make_jobs(2), 0.1)
    assert [scheduler.next_cpu_task() for _ in range(3)] == [("explain", work[0]), ("explain", work[1]), None], (
        "two CPU threads"
    )
    assert scheduler.next_decode() is None, "which decode nothing meanwhile"
    scheduler.cpu_task_done("explain", 0.05, 0.15)
    decode_all(scheduler, 0.15)
    assert scheduler.next_batch(0.15) is None, "one of them is still at it"
    scheduler.cpu_task_done("explain", 0.05, 0.15)
    assert scheduler.next_cpu_task() is None, "scoring comes first: it has used less"
    assert run_batch(scheduler, 0.15) == [(2, 0)]
    assert scheduler.next_cpu_task() == ("explain", work[2])


def test_a_device_of_its_own_goes_on_beside_cpu_tasks() -> None:
    scheduler = make_scheduler()
    scheduler.admit(make_jobs(1), 0.0)
    decode_all(scheduler)
    for _ in range(3):
        scheduler.add_cpu_task("explain", cpu_task)
    assert [scheduler.next_cpu_task() is not None for _ in range(3)] == [True, True, False], "two CPU threads"
    assert run_batch(scheduler, 0.0) == [(1, 0)]


def test_explanations_wait_while_an_image_to_score_is_decoded() -> None:
    scheduler = make_scheduler(shared_cores=True)
    scheduler.decoder.observe(10, 0.05)
    scheduler.admit(make_jobs(1, 8, lane="explain"), 0.0)
    decode_all(scheduler, 0.0)
    assert len(run_batch(scheduler, 0.0, seconds=1.0)) == 4
    decode_all(scheduler, 1.0)
    scheduler.admit(make_jobs(2), 1.0)
    decoding = scheduler.next_decode()
    assert decoding is not None
    assert scheduler.next_batch(1.0) is None
    wake_at = scheduler.wake_at()
    assert wake_at is not None and 1.0 < wake_at < 1.2, "but not for ever"
    scheduler.decoded(decoding, 0.05, 1.05)
    assert run_batch(scheduler, 1.05) == [(2, 0)]
    assert len(run_batch(scheduler, 1.15)) == 4


def test_a_waiting_explanation_counts_its_cpu_tasks() -> None:
    scheduler = make_scheduler(shared_cores=True, queue_limit_s=1.0)
    scheduler.add_cpu_task("explain", cpu_task)
    assert scheduler.next_cpu_task() == ("explain", cpu_task)
    scheduler.cpu_task_done("explain", 0.5, 0.5)
    scheduler.admit(make_jobs(1, 8, lane="explain"), 0.5)
    assert scheduler.wait_s("explain") == pytest.approx(2.0), "half a second each, on two threads"
    assert scheduler.admit(make_jobs(2, lane="explain"), 0.5) == pytest.approx(1.0)


def test_a_faster_model_renews_what_is_known_and_no_more() -> None:
    scheduler = make_scheduler(max_images=2, max_cost=2 * IMAGE)
    for _ in range(20):
        scheduler.learn("score", IMAGE, 1.0)
        scheduler.learn("explain", IMAGE, 1.0)
    faster = replace(scheduler.limits, max_images=8, max_cost=8 * IMAGE)
    scheduler.replace_limits(faster, "score", [(IMAGE, 0.1), (2 * IMAGE, 0.2)])
    assert scheduler.run_s("score", IMAGE, 1) == pytest.approx(0.1)
    assert scheduler.run_s("explain", IMAGE, 1) == pytest.approx(1.0)
    assert scheduler.admit(make_jobs(1, 8), 0) is None
    decode_all(scheduler)
    assert run_batch(scheduler, 0.1) == [(1, index) for index in range(8)]
    scheduler.shrink(4 * IMAGE)
    scheduler.replace_limits(faster, "score", [(IMAGE, 0.1)])
    assert scheduler.max_cost == 2 * IMAGE, "memory is as small as it was"


def test_the_jobs_of_a_closed_lane_wait_and_hold_nobody_up() -> None:
    scheduler = make_scheduler(shared_cores=True)
    scheduler.close("explain")
    scheduler.admit(make_jobs(1, lane="explain"), 0.0)
    decode_all(scheduler)
    assert scheduler.next_batch(0.0) is None
    assert scheduler.wake_at() == 60.0, "its deadline"
    scheduler.admit(make_jobs(2), 0.0)
    decode_all(scheduler)
    assert run_batch(scheduler, 0.0) == [(2, 0)]
    scheduler.open("explain", [(IMAGE, 0.5)])
    assert run_batch(scheduler, 0.1) == [(1, 0)]
    assert scheduler.run_s("explain", IMAGE, 2.0) == pytest.approx(0.2), "as it has just run"
