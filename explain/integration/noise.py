"""Noisy copies of inputs, whose averaged attributions are smoother (SmoothGrad, https://arxiv.org/abs/1706.03825)."""

import torch
from torch import Tensor

from explain.request.parameters import ExplanationParameters


def noisy(inputs: Tensor, parameters: ExplanationParameters) -> list[Tensor]:
    """Return the copies [3, H, W] that the parameters ask for, the same for the same seed; none if it does not."""
    generator = torch.Generator().manual_seed(parameters.seed)
    shape = (parameters.noise_samples, *inputs.shape)
    # drawn on the CPU, so that a GPU draws the same
    noise = torch.randn(shape, generator=generator).to(inputs.device) * parameters.noise_std
    return list(inputs + noise)
