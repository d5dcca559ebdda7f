"""Batches that are computed in parts, each on a thread of its own."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from models.runtime.contention import Contention
from models.runtime.side_by_side import SideBySide
from models.runtime.split_graph import SplitGraph

THREADS = 2


@pytest.fixture(scope="module")
def threads() -> SideBySide:
    return SideBySide(THREADS)


@pytest.fixture
def several_threads() -> Iterator[None]:
    """PyTorch computes with several threads, as in an engine."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


class Recorded:
    """A graph of two outputs that notes the rows of each call, its thread and how many threads PyTorch has there."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, str, int]] = []
        self.modes: set[tuple[bool, bool]] = set()

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        self.calls.append((len(inputs), threading.current_thread().name, torch.get_num_threads()))
        self.modes.add((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))
        return inputs * 2, inputs.sum(1)


def split(graph: Recorded, threads: SideBySide, contention: Contention | None = None) -> SplitGraph:
    return SplitGraph(graph, partial(threads.compute, graph), threads.threads, contention)


@pytest.mark.parametrize(
    ("count", "parts"), [(2, [1, 1]), (4, [2, 2]), (7, [3, 4]), (8, [2, 2, 2, 2]), (11, [2, 3, 3, 3])]
)
def test_a_batch_is_split_evenly_and_its_rows_stay_in_order(
    threads: SideBySide, several_threads: None, count: int, parts: list[int]
) -> None:
    graph, inputs = Recorded(), torch.arange(count * 3.0).view(count, 3)
    doubled, sums = split(graph, threads)(inputs)
    assert torch.equal(doubled, inputs * 2)
    assert torch.equal(sums, inputs.sum(1))
    assert sorted(rows for rows, _, _ in graph.calls) == sorted(parts)
    assert {number for _, _, number in graph.calls} == {1}
    assert all(name.startswith("part") for _, name, _ in graph.calls)
    assert torch.get_num_threads() == THREADS, "the caller keeps its own number"


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_that_would_leave_a_thread_idle_is_shared(
    threads: SideBySide, several_threads: None, count: int
) -> None:
    graph = Recorded()
    split(graph, threads, Contention(THREADS, processor_clock=iter(range(10**6)).__next__))(torch.ones(count, 3))
    assert [(rows, number) for rows, _, number in graph.calls] == [(count, THREADS)]


def test_one_thread_needs_no_other() -> None:
    graph = Recorded()
    split(graph, SideBySide(1))(torch.ones(4, 3))
    assert [(rows, name) for rows, name, _ in graph.calls] == [(4, threading.current_thread().name)]


def test_parts_are_computed_in_the_modes_of_the_caller(threads: SideBySide) -> None:
    graph = Recorded()
    with torch.inference_mode():
        split(graph, threads)(torch.ones(4, 3))
    with torch.no_grad():
        split(graph, threads)(torch.ones(4, 3))
    assert graph.modes == {(True, False), (False, False)}


def test_gradients_leave_a_thread_its_number(threads: SideBySide, several_threads: None) -> None:
    """Autograd sets numbers of threads of its own: these must not reach the threads of the parts."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)).requires_grad_(False)

    def run() -> int:
        inputs = torch.rand(1, 3, 32, 32, requires_grad=True)
        torch.autograd.grad(network(inputs).sum(), inputs)
        return torch.get_num_threads()

    assert threads.run([run] * 8) == [1] * 8


def test_an_error_of_one_part_is_raised_once_all_have_ended(threads: SideBySide) -> None:
    ended = []

    def fail() -> None:
        raise RuntimeError("out of paper")

    def slow() -> None:
        threading.Event().wait(0.2)
        ended.append(True)

    with pytest.raises(RuntimeError, match="out of paper"):
        threads.run([fail, slow])
    assert ended
    assert threads.run([lambda: 5]) == [5], "the threads live on"
