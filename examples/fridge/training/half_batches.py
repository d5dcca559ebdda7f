"""Computes the gradients of a batch on a CPU in two halves at once, by a thread each.

The two threads meet once a step. The threads within PyTorch meet in every layer, and beside other programs that use the
cores each such meeting takes many times as long.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_HALVES = 2


@contextmanager
def two_threads() -> Iterator[Executor]:
    """Yield two threads. Until they end, PyTorch divides its own threads between them."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // _HALVES))
    try:
        with ThreadPoolExecutor(_HALVES) as threads:
            yield threads
    finally:
        torch.set_num_threads(before)


def backward(
    threads: Executor, parameters: Sequence[nn.Parameter], loss_of: Callable[..., Tensor], *batch: Tensor
) -> float:
    """Set the gradients of `parameters` to those of the loss of a batch, and return that loss.

    loss_of: returns the mean loss, a scalar, of a part of the batch, which it gets as tensors [n, ...]. Batch norms see
    one half at a time, so the result does not depend on the number of cores.
    """
    size = len(batch[0])

    def gradients(half: Sequence[Tensor]) -> tuple[float, Sequence[Tensor]]:
        loss = loss_of(*half) * (len(half[0]) / size)
        return loss.item(), torch.autograd.grad(loss, parameters)

    halves = zip(*(tensor.chunk(_HALVES) for tensor in batch), strict=True)
    (total, summed), *others = threads.map(gradients, halves)
    for loss, added in others:
        total += loss
        summed = [one.add_(other) for one, other in zip(summed, added, strict=True)]
    for parameter, gradient in zip(parameters, summed, strict=True):
        parameter.grad = gradient
    return total
