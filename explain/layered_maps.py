"""Layered maps: what algorithms share that join the maps of several layers of a network to one for each target."""

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.network.cam import empty_note
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, TargetMaps
from explain.request.parameters import ExplanationParameters

# the maps [h, w] of a target at all layers -> its map [H, W]
Join = Callable[[Sequence[Tensor], ExplainedImage, ExplanationParameters], Tensor]


def layered_algorithm(name: str, part: Literal["cam_layers", "attention"], join: Join) -> Algorithm:
    """Return the algorithm `name`, which reads a part of the network in one pass and joins its maps."""

    def steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
        item = TargetMaps(image, image.inputs, parameters.output, part=part)
        yield [item]
        attributions = []
        for target, maps in zip(item.targets, item.maps, strict=True):
            heat = finite(join(maps, image, parameters))
            attributions.append(Attribution(target, heat, notes=empty_note(heat)))
        return Explanation(item.logits, tuple(attributions))

    return Algorithm(name, steps, _passes, needs=part)


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + targets, 1 + targets)
