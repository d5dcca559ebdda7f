"""Attention: where the blocks of a transformer look, weighted with how much that speaks for a target.

Chefer et al., Generic Attention-model Explainability, https://arxiv.org/abs/2103.15679. Attributions are [H, W], at
least 0, and as coarse as the patches. Where attention has windows (Swin), each block counts by what is taken in it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.network.cam import empty_note, resized
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, TargetMaps
from explain.request.parameters import ExplanationParameters


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    item = TargetMaps(image, image.inputs, parameters.output, part="attention")
    yield [item]
    attributions = []
    for target, maps in zip(item.targets, item.maps, strict=True):
        heat = finite(_joined(maps, image, parameters))
        attributions.append(Attribution(target, heat, notes=empty_note(heat)))
    return Explanation(item.logits, tuple(attributions))


def _joined(maps: Sequence[Tensor], image: ExplainedImage, parameters: ExplanationParameters) -> Tensor:
    """Average the maps [h, h] of all blocks: [H, W]."""
    height, width = image.pixels.shape[:2]
    # a token of a coarse grid covers more pixels, so it gives each of them less
    dense = [resized(heat * heat.numel(), height, width, parameters.interpolation) for heat in maps]
    return torch.stack(dense).mean(0)


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + targets, 1 + targets)


ALGORITHM = Algorithm("attention", _steps, _passes, needs="attention")
