"""Guided backpropagation: the gradient, with what is negative stopped at every ReLU.

Springenberg et al., Striving for Simplicity, https://arxiv.org/abs/1412.6806. Attributions are signed, [3, H, W]. They
show fine detail, but much the same for every target. Networks without ReLU get the plain gradient, and a note says so.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.integration.noise import noisy_copies
from explain.network.explained_image import ExplainedImage
from explain.network.guidance import guidance_note
from explain.network.work_items import ExplanationSteps, ForwardPass, TargetGradients
from explain.request.parameters import ExplanationParameters
from explain.request.targets import fixed_targets


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    output, guided_relu6 = parameters.output, parameters.guided_relu6
    if not parameters.noise_samples:
        item = TargetGradients(image, image.inputs, output, guided=True, guided_relu6=guided_relu6)
        yield [item]
        return _explanation(item.logits, [item])
    # the targets are those of the image itself, not of its noisy copies
    forward = ForwardPass(image.network, image.inputs, output)
    yield [forward]
    same_targets = replace(image, select_targets=fixed_targets(*image.targets(forward.logits)))
    items = [
        TargetGradients(same_targets, inputs, output, guided=True, guided_relu6=guided_relu6)
        for inputs in noisy_copies(image.inputs, parameters)
    ]
    yield items
    return _explanation(forward.logits, items)


def _explanation(logits: torch.Tensor, items: Sequence[TargetGradients]) -> Explanation:
    notes = guidance_note(items[0].guided_relus)
    attributions = [
        Attribution(target, finite(torch.stack(gradients).mean(0)), notes=notes)
        for target, *gradients in zip(items[0].targets, *(item.gradients for item in items), strict=True)
    ]
    return Explanation(logits, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    copies = parameters.noise_samples
    count = 1 + copies * (1 + targets) if copies else 1 + targets
    return PassCount(count, count)


ALGORITHM = Algorithm("guided_backprop", _steps, _passes)
