from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from server.engine.device import BatchItem, Device, batch_items
from server.engine.payload import ScorePayload
from server.engine.scheduling.job import Job
from server.ipc.outcome import Failure
from tests.support.engines.fake_model import FakeModel, image_of


def items_of_kinds(*kinds: int) -> list[BatchItem]:
    return batch_items([job_of(kind, index) for index, kind in enumerate(kinds)], 100, 10_000)


def job_of(kind: int = 0, index: int = 0, inputs: int = 1) -> Job[ScorePayload]:
    payload = ScorePayload(image=image_of(kind, inputs))
    job = Job(1, index, cost=100, size=1, arrived=0, deadline=1, payload=payload)
    job.shape = 0
    return job


def test_a_batch_runs_in_one_pass() -> None:
    model = FakeModel()
    ran = Device(model).run(items_of_kinds(0, 0, 0))
    assert model.batches == [3]
    assert not ran.failed
    assert ran.too_large is None


def test_a_poisoned_image_fails_alone() -> None:
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


def test_an_image_that_fits_no_memory_fails_alone() -> None:
    ran = Device(FakeModel(memory=0)).run(items_of_kinds(0, 0))
    assert [output.code for output in ran.outputs if isinstance(output, Failure)] == ["out_of_memory"] * 2


def test_the_cpu_allocator_counts_as_out_of_memory() -> None:
    model = FakeModel()
    calls = 0

    def outputs(inputs: Sequence[Tensor]) -> list[Tensor]:
        nonlocal calls
        calls += 1
        return [torch.empty(2**45)] if calls == 1 else FakeModel.outputs(model, inputs)

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


def test_inputs_of_one_shape_share_a_batch_while_there_is_room() -> None:
    whole, tiled, other = job_of(), job_of(inputs=4), job_of(inputs=3)
    assert [(item.job, item.index) for item in batch_items([whole, tiled], 8, 1000)] == [(whole, 0), (tiled, 0)]
    tiled.shape = other.shape = 1
    tiled.payload.outputs[0] = other.payload.outputs[0] = "seen"
    items = batch_items([tiled, other], 4, 1000)
    assert [(item.job, item.index) for item in items] == [(tiled, 1), (other, 1), (tiled, 2), (tiled, 3)]
    assert len(batch_items([tiled, other], 8, 350)) == 3, "a batch ends where its cost would exceed the bound"
    assert len(batch_items([tiled], 8, 50)) == 1, "what alone exceeds the bound runs alone"
