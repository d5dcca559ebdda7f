"""Attribution: what an algorithm answers for one target; Explanation: the answer for one picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class Attribution:
    """How much each pixel speaks for a target.

    `values` is float32 on the CPU, [3, H, W] or [H, W], higher for more; the sign is meant, except by Grad-CAM, whose
    values are at least 0. `delta` is what the attributions of a path sum to, less the difference of the output
    between picture and baseline (0 if exact); `gap` is that difference's share of it, without sign. `n_steps` counts
    the gradients of one path. All three are None where an algorithm follows no path. `notes` are sentences for people;
    `quality` holds what was measured, see explain/quality.py.
    """

    target: int
    values: Tensor
    n_steps: int | None = None
    delta: float | None = None
    gap: float | None = None
    notes: tuple[str, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The logits of a picture, float32 [C] on the CPU, and an attribution for each target, in the order chosen."""

    logits: Tensor
    attributions: tuple[Attribution, ...]


def finite(values: Tensor) -> Tensor:
    """Return values as float32 on the CPU; ModelError where some are not numbers."""
    if not torch.isfinite(values).all():
        raise ModelError("The gradients of the network are not finite. Check its weights and the precision.")
    return values.detach().to("cpu", torch.float32).contiguous()
