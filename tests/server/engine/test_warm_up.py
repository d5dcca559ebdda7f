from collections.abc import Callable

import pytest
import torch

from server.engine.device import Device
from server.engine.startup.warm_up import batch_overhead_s, best_batch, warm_up
from tests.support.engines.fake_model import FakeModel


class TimedDevice(Device):
    """A device whose batches take so many seconds by the number of their images."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        super().__init__(FakeModel())
        self._seconds = seconds

    def time_example(self, count: int) -> float:
        return self._seconds(count)


def sizes(seconds: Callable[[int], float], overhead_s: float = 0.0) -> list[int]:
    return [count for count, _ in warm_up(TimedDevice(seconds), 0, overhead_s)]


def test_warm_up_grows_until_memory_or_time_ends() -> None:
    assert [count for count, _ in warm_up(Device(FakeModel(memory=8)), 0)] == [1, 2, 4, 8]
    assert [count for count, _ in warm_up(Device(FakeModel()), 6)] == [1, 2, 4, 6]
    assert sizes(lambda count: 0.3) == [1, 2]


def test_warm_up_fails_where_not_even_one_image_runs() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        warm_up(Device(FakeModel(memory=0)), 0)


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
    assert sizes(lambda count: 0.02 * count) == [1, 2]
    assert sizes(lambda count: 0.02 * count, overhead_s=0.02)[:4] == [1, 2, 4, 8]


def test_warm_up_does_not_stop_at_a_brief_batch_that_others_made_slow() -> None:
    assert max(sizes(lambda count: 0.02 if count == 4 else 0.004)) == 128
