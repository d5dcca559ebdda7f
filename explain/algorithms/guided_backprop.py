"""Guided backpropagation: the gradient, with what is negative stopped at every ReLU.

Springenberg et al., Striving for Simplicity, https://arxiv.org/abs/1412.6806. Attributions are signed, [3, H, W]: fine
detail, but much the same for every target. Networks without ReLU get the plain gradient, and a note that says so.
"""

import torch

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.integration.noise import noisy
from explain.network.explained_image import ExplainedImage, fixed_targets
from explain.network.guidance import notes
from explain.network.work_items import ExplanationSteps, ForwardPass, TargetGradients
from explain.request.parameters import ExplanationParameters


def _steps(subject: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    if not parameters.noise_samples:
        look = TargetGradients(
            subject, subject.inputs, parameters.output, guided=True, guided_relu6=parameters.guided_relu6
        )
        yield [look]
        return _explanation(look.logits, [look])
    # the picture itself chooses the targets, not its noisy copies
    own = ForwardPass(subject.inputs, parameters.output)
    yield [own]
    fixed = ExplainedImage(
        subject.picture, subject.inputs, subject.normalise, fixed_targets(*subject.targets(own.logits))
    )
    looks = [
        TargetGradients(fixed, inputs, parameters.output, guided=True, guided_relu6=parameters.guided_relu6)
        for inputs in noisy(subject.inputs, parameters)
    ]
    yield looks
    return _explanation(own.logits, looks)


def _explanation(logits: torch.Tensor, looks: list[TargetGradients]) -> Explanation:
    attributions = [
        Attribution(target, finite(torch.stack(gradients).mean(0)), notes=notes(looks[0].guides))
        for target, *gradients in zip(looks[0].targets, *(look.gradients for look in looks), strict=True)
    ]
    return Explanation(logits, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    copies = parameters.noise_samples
    count = 1 + copies * (1 + targets) if copies else 1 + targets
    return PassCount(count, count)


ALGORITHM = Algorithm("guided_backprop", _steps, _passes)
