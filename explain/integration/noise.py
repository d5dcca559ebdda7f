"""Noisy copies of inputs, whose averaged attributions are smoother (SmoothGrad, https://arxiv.org/abs/1706.03825)."""

import torch
from torch import Tensor

from explain.request.parameters import ExplanationParameters


def noisy_copies(inputs: Tensor, parameters: ExplanationParameters) -> list[Tensor]:
    """Return `noise_samples` copies of inputs [3, H, W], the same ones for the same seed."""
    generator = torch.Generator().manual_seed(parameters.seed)
    shape = (parameters.noise_samples, *inputs.shape)
    # drawn on the CPU, so that a GPU draws the same
    noise = torch.randn(shape, generator=generator).to(inputs.device) * parameters.noise_std
    return list(inputs + noise)
