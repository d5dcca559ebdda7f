"""LayerCAM: where the maps of several layers, from fine to coarse, speak for a target.

Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, IEEE TIP 2021,
https://doi.org/10.1109/TIP.2021.3089943. Attributions are [H, W], in [0, 1]: the map of each layer, divided by its
maximum, and of all of them the largest value at each place.
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
    item = TargetMaps(image, image.inputs, parameters.output, part="cam_layers")
    yield [item]
    attributions = []
    for target, maps in zip(item.targets, item.maps, strict=True):
        heat = finite(_joined(maps, image, parameters))
        attributions.append(Attribution(target, heat, notes=empty_note(heat)))
    return Explanation(item.logits, tuple(attributions))


def _joined(maps: Sequence[Tensor], image: ExplainedImage, parameters: ExplanationParameters) -> Tensor:
    """Join the maps [h, w] of all layers to [H, W]."""
    height, width = image.pixels.shape[:2]
    # gradients of different layers have different sizes, so each map counts by its own maximum
    scaled = [heat / heat.max() if heat.any() else heat for heat in maps]
    return torch.stack([resized(heat, height, width, parameters.interpolation) for heat in scaled]).amax(0)


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + targets, 1 + targets)


ALGORITHM = Algorithm("layercam", _steps, _passes, needs="cam_layers")
