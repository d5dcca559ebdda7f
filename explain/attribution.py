"""Attribution: the result of an algorithm for one target. Explanation: its results for one image."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from explain.request.targets import ExplainedTarget, Reference
from models.errors import ModelError


@dataclass(frozen=True, slots=True)
class Attribution:
    """How much each pixel speaks for a target.

    - `explained`: the target, and what it is explained against
    - `values`: float32 on the CPU, [3, H, W] or [H, W]. Higher values speak more for the target, negative ones against
      it; those of Grad-CAM are at least 0.
    - `n_steps`: the number of gradients taken on one path
    - `delta`: the sum of the attributions of a path, less the difference of the output between image and baseline;
      0 if exact
    - `gap`: the delta as a share of that difference, without sign
    - `notes`: sentences for people
    - `quality`: what was measured, see explain/quality.py
    - `forward_passes`: the number of images that were scored
    - `agreement`: the rank correlation of the maps of two halves of random masks, -1 to 1

    `n_steps`, `delta` and `gap` are None for algorithms that follow no path, `forward_passes` and `agreement` for those
    that hide nothing at random.
    """

    explained: ExplainedTarget
    values: Tensor
    n_steps: int | None = None
    delta: float | None = None
    gap: float | None = None
    notes: tuple[str, ...] = ()
    quality: Mapping[str, float] = field(default_factory=dict)
    forward_passes: int | None = None
    agreement: float | None = None

    @property
    def target(self) -> int:
        """The index of the label that is explained."""
        return self.explained.index

    @property
    def against(self) -> Reference:
        """What it is explained against."""
        return self.explained.against


@dataclass(frozen=True, slots=True)
class Explanation:
    """The logits of an image, float32 [C] on the CPU, and an attribution for each target, in the order selected."""

    logits: Tensor
    attributions: tuple[Attribution, ...]


def finite(values: Tensor) -> Tensor:
    """Return values as float32 on the CPU; ModelError where some are not finite."""
    if not torch.isfinite(values).all():
        raise ModelError("The gradients of the network are not finite. Check its weights and the precision.")
    return values.detach().to("cpu", torch.float32).contiguous()
