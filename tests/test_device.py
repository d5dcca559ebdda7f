import time
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from server.engine.pipeline.device import Device, batch_items, batch_overhead_s, best_batch
from server.engine.scheduling.jobs import BatchItem, Job
from server.ipc.outcome import Failure
from tests.fakes import FakeModel, picture_of


def items_of_kinds(*kinds: int) -> list[BatchItem]:
    return batch_items([job_of(kind, index) for index, kind in enumerate(kinds)], 100, 10_000)


def job_of(kind: int = 0, index: int = 0, inputs: int = 1) -> Job:
    job = Job(request=1, index=index, cost=100, size=1, arrived=0, deadline=1, picture=picture_of(kind, inputs))
    job.shape = 0
    return job


def test_a_batch_runs_in_one_pass() -> None:
    model = FakeModel()
    ran = Device(model).run(items_of_kinds(0, 0, 0))
    assert model.batches == [3]
    assert not ran.failed
    assert ran.too_large is None


def test_a_poisoned_picture_fails_alone() -> None:
    model = FakeModel()
    ran = Device(model).run(items_of_kinds(0, 1, 0))
    assert model.batches == [3, 1, 1, 1]
    assert [isinstance(output, Failure) for output in ran.outputs] == [False, True, False]
    assert isinstance(ran.outputs[1], Failure)
    assert ran.outputs[1].code == "scoring_failed"
    assert ran.failed


def test_out_of_memory_halves_the_batch_and_says_what_was_too_large() -> None:
    model = FakeModel(memory=2)
    ran = Device(model).run(items_of_kinds(*[0] * 8))
    assert model.batches == [8, 4, 2, 2, 4, 2, 2]
    assert not ran.failed
    assert ran.too_large == 400


def test_a_picture_that_fits_no_memory_fails_alone() -> None:
    ran = Device(FakeModel(memory=0)).run(items_of_kinds(0, 0))
    assert [output.code for output in ran.outputs if isinstance(output, Failure)] == ["out_of_memory"] * 2


def test_the_cpu_allocator_counts_as_out_of_memory() -> None:
    model = FakeModel()
    calls = 0

    def outputs(pictures: Sequence[Tensor]) -> list[Tensor]:
        nonlocal calls
        calls += 1
        return [torch.empty(2**45)] if calls == 1 else FakeModel.outputs(model, pictures)

    model.outputs = outputs  # type: ignore[method-assign]
    ran = Device(model).run(items_of_kinds(0, 0))
    assert ran.too_large == 200
    assert not ran.failed


def test_a_probe_shows_that_the_device_is_broken() -> None:
    model = FakeModel()
    Device(model).probe()
    model.healthy = False
    with pytest.raises(RuntimeError, match="device-side assert"):
        Device(model).probe()


def test_warm_up_grows_until_memory_or_time_ends() -> None:
    assert [count for count, _ in Device(FakeModel(memory=8, seconds=0.002)).warm_up(0)] == [1, 2, 4, 8]
    assert [count for count, _ in Device(FakeModel()).warm_up(6)] == [1, 2, 4, 6]
    assert [count for count, _ in Device(FakeModel(seconds=0.3)).warm_up(0)] == [1, 2]


def test_warm_up_fails_where_not_even_one_picture_runs() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        Device(FakeModel(memory=0)).warm_up(0)


def test_the_best_batch_is_the_smallest_that_comes_close() -> None:
    assert best_batch([(1, 0.1), (2, 0.12), (4, 0.2), (8, 0.41)]) == 4
    assert best_batch([(1, 0.1), (2, 0.15), (4, 0.2), (8, 0.36)]) == 8
    assert best_batch([(1, 0.1)]) == 1


def test_what_each_batch_takes_beside_its_forward_pass_asks_for_larger_ones() -> None:
    quick, slow = ([(count, count * seconds) for count in (1, 2, 4, 8, 16)] for seconds in (0.005, 0.3))
    between = batch_overhead_s(torch.device("cpu"))
    assert (best_batch(quick), best_batch(quick, between)) == (1, 16)
    assert (best_batch(slow), best_batch(slow, between)) == (1, 1)
    assert batch_overhead_s(torch.device("cuda")) == 0


def test_warm_up_goes_on_to_the_sizes_that_handing_over_asks_for() -> None:
    model = FakeModel()
    model.outputs = lambda pictures: time.sleep(0.02 * len(pictures))  # type: ignore[assignment, method-assign, return-value]
    assert [count for count, _ in Device(model).warm_up(0)] == [1, 2]
    assert [count for count, _ in Device(model).warm_up(0, 0.02)][:4] == [1, 2, 4, 8]


def test_warm_up_does_not_stop_at_a_brief_batch_that_others_made_slow() -> None:
    model, slowed = FakeModel(), {4: 0.02}
    model.outputs = lambda pictures: time.sleep(slowed.get(len(pictures), 0.004))  # type: ignore[assignment, method-assign, return-value]
    assert max(count for count, _ in Device(model).warm_up(0)) == 128


def test_inputs_of_one_shape_share_a_batch_while_there_is_room() -> None:
    whole, tiled, other = job_of(), job_of(inputs=4), job_of(inputs=3)
    assert [(item.job, item.index) for item in batch_items([whole, tiled], 8, 1000)] == [(whole, 0), (tiled, 0)]
    tiled.shape = other.shape = 1
    tiled.found[0] = other.found[0] = "seen"
    items = batch_items([tiled, other], 4, 1000)
    assert [(item.job, item.index) for item in items] == [(tiled, 1), (other, 1), (tiled, 2), (tiled, 3)]
    assert len(batch_items([tiled, other], 8, 350)) == 3, "a batch ends where its cost would exceed the bound"
    assert len(batch_items([tiled], 8, 50)) == 1, "what alone exceeds the bound runs alone"
