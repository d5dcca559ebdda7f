"""Learning rates of a training in stages."""

from collections.abc import Sequence
from itertools import accumulate

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler, SequentialLR


def linear_rates(
    optimizer: Optimizer, stages: Sequence[tuple[int, tuple[float, float]]], warm_up_steps: int = 0
) -> LRScheduler:
    """Return a scheduler that changes the rate linearly within each stage; step it after each step of the optimizer.

    stages: for each stage its number of steps, and the learning rates at its start and at its end.
    warm_up_steps: how many steps at the start raise the rate to the first one. They are part of the first stage.
    """
    (steps, rates), *others = stages
    warm_up = min(warm_up_steps, steps - 1)
    parts = [(steps - warm_up, rates), *others]
    if warm_up:
        parts = [(warm_up, (rates[0] / warm_up, rates[0])), *parts]
    highest = max(max(rates) for _, rates in parts)
    for group in optimizer.param_groups:
        group["lr"] = highest
    schedulers: list[LRScheduler] = [
        LinearLR(optimizer, first / highest, last / highest, total_iters=steps) for steps, (first, last) in parts
    ]
    return SequentialLR(optimizer, schedulers, [*accumulate(steps for steps, _ in parts[:-1])])
