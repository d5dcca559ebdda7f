from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from models.loaded import load_classifier
from server.engine.explaining import slice_sizes
from server.engine.explaining.explained_classifier import ExplainedClassifier
from server.engine.explaining.explainer import Explainer
from server.engine.explaining.slice_sizes import SliceSizes, timings


def here(step: Callable[[], float]) -> float:
    return step()


GRADIENT, SCORE, SCORED = ("gradient", "logit"), ("score", "logit"), ("scored",)


def test_the_smallest_slice_of_gradients_that_comes_close_is_chosen() -> None:
    found = SliceSizes.best({1: 0.060, 2: 0.100, 4: 0.180, 8: 0.352}, {1: 0.030, 2: 0.060}, {1: 0.03, 2: 0.03, 4: 0.06})
    assert (found.of(GRADIENT), found.of(SCORE), found.of(SCORED)) == (4, 1, 2)


def test_where_more_rows_cost_little_others_are_batched_too() -> None:
    seconds = {1: 0.010, 2: 0.011, 4: 0.014, 8: 0.03}
    found = SliceSizes.best({1: 0.01, 2: 0.01, 4: 0.011, 8: 0.018}, seconds, seconds)
    assert (found.of(GRADIENT), found.of(SCORE)) == (8, 4)


def test_memory_that_ran_out_halves_one_size() -> None:
    sizes = SliceSizes(8, 4, 16)
    assert sizes.halved(GRADIENT) == SliceSizes(4, 4, 16)
    assert sizes.halved(SCORE) == SliceSizes(8, 2, 16)
    assert sizes.halved(SCORED) == SliceSizes(8, 4, 8)
    assert SliceSizes().halved(SCORE) == SliceSizes(1, 1)


@pytest.mark.parametrize(
    ("fixed", "each", "most", "sizes"),
    [
        (0.1, 0.01, 32, [1, 2, 4, 8, 16, 32]),
        (0.1, 0.01, 6, [1, 2, 4]),
        (0.0, 0.01, 32, [1, 2]),  # nothing gained
        (0.5, 0.2, 32, [1]),  # two might take too long
        (0.1, 0.1, 32, [1, 2, 4, 8]),
    ],
)
def test_sizes_grow_while_that_helps(
    monkeypatch: pytest.MonkeyPatch, fixed: float, each: float, most: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(slice_sizes, "_seconds", lambda run, size: fixed + each * size)
    assert list(timings(lambda size: None, most, here)) == sizes


def test_memory_bounds_the_sizes() -> None:
    def run(size: int) -> None:
        if size > 2:
            raise torch.OutOfMemoryError

    assert set(timings(run, 8, here)) <= {1, 2}
    with pytest.raises(torch.OutOfMemoryError):
        timings(lambda size: run(3), 8, here)


class OnDevice(TorchFunctionMode):
    """Runs steps, and refuses what PyTorch is asked to compute outside of them."""

    inside = False

    def __call__(self, step: Callable[[], Any]) -> Any:
        self.inside = True
        try:
            return step()
        finally:
            self.inside = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert self.inside, f"{func} on a thread whose team would make every forward pass slower from then on"
        return func(*args, **kwargs or {})


def test_warming_up_computes_on_the_thread_of_the_device_only(fridge_folder: Path) -> None:
    explainer = Explainer(ExplainedClassifier(load_classifier(fridge_folder)))
    with OnDevice() as on_device:
        assert explainer.warm_up(2, on_device)


def test_a_slice_timed_later_costs_what_one_of_the_warm_up_did(fridge_folder: Path) -> None:
    explainer = Explainer(ExplainedClassifier(load_classifier(fridge_folder, device="cpu")))
    measured = explainer.warm_up(2, here)
    cost, seconds = explainer.time_slice()
    assert cost in [known for known, _ in measured]
    assert seconds > 0
