"""ODAM: where the maps of a detector speak for one box, and not for others of its label.

Zhao and Chan, ODAM: Gradient-based Instance-specific Visual Explanations for Object Detection,
https://arxiv.org/abs/2304.06354. Attributions are [H, W] in [0, 1], and as coarse as those maps.
"""

import torch

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.detection.explained_boxes import ExplainedBoxes
from explain.detection.heat import joined
from explain.detection.work_items import MapGradients
from explain.network.cam import empty_note
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps
from explain.request.parameter_types import ONE_NUMBER
from explain.request.parameters import ExplanationParameters
from explain.request.targets import ExplainedTarget


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    assert isinstance(image, ExplainedBoxes)
    item = MapGradients(image, parameters.output)
    yield [item]
    height, width = image.pixels.shape[:2]
    attributions = []
    for number, aspects in enumerate(item.heat):
        maps = [joined(parts, (height, width), parameters.interpolation) for parts in aspects]
        values = finite(torch.stack(maps).amax(0))
        attributions.append(Attribution(ExplainedTarget(number), values, notes=empty_note(values)))
    return Explanation(item.numbers, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    # a box takes a small part of a pass, since only the head is run again and differentiated
    return PassCount(1, 1)


ALGORITHM = Algorithm("odam", _steps, _passes, explains=frozenset({"detector"}), aspects=ONE_NUMBER | {"box"})
