"""Attention: where the blocks of a transformer look, weighted with how much that speaks for a target.

Chefer et al., Generic Attention-model Explainability, https://arxiv.org/abs/2103.15679. Attributions are [H, W], at
least 0, and as coarse as the patches. Where attention has windows (Swin), each block counts by what is taken in it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from explain.layered_maps import layered_algorithm
from explain.network.cam import resized
from explain.network.explained_image import ExplainedImage
from explain.request.parameters import ExplanationParameters


def _joined(maps: Sequence[Tensor], image: ExplainedImage, parameters: ExplanationParameters) -> Tensor:
    """Average the maps [h, h] of all blocks: [H, W]."""
    height, width = image.pixels.shape[:2]
    # a token of a coarse grid covers more pixels, so it gives each of them less
    dense = [resized(heat * heat.numel(), height, width, parameters.interpolation) for heat in maps]
    return torch.stack(dense).mean(0)


ALGORITHM = layered_algorithm("attention", "attention", _joined)
