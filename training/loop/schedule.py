"""Learning rates: how the rate of each step follows from the hyperparameters, by the formulas of the hosted service."""

import math
from collections.abc import Callable
from typing import Any

Schedule = Callable[[int], float]
"""Maps a step, counted from 0 over all epochs, to what the learning rate is multiplied by."""


def schedule(hyperparameters: Any, steps_per_epoch: int, epochs: int) -> Schedule:
    """Return the schedule that `lr_scheduler` names."""
    if hyperparameters.lr_scheduler == "step":
        size, gamma = hyperparameters.step_lr_step_size, hyperparameters.step_lr_gamma
        return lambda step: float(gamma ** (step // steps_per_epoch // size))
    warm_up = min(hyperparameters.warmup_cosine_lr_warmup_epochs, epochs) * steps_per_epoch
    return warmup_cosine(warm_up, steps_per_epoch * epochs, hyperparameters.warmup_cosine_lr_cycles)


def warmup_cosine(warm_up: int, total: int, cycles: float) -> Schedule:
    """Return a rate that rises from 0 in `warm_up` steps and then follows `cycles` of a cosine to step `total`.

    Half a cycle ends at 0; more would rise again.
    """

    def factor(step: int) -> float:
        if step < warm_up:
            return step / warm_up
        share = (step - warm_up) / max(1, total - warm_up)
        return max(0.0, 0.5 * (1 + math.cos(2 * math.pi * cycles * share)))

    return factor
