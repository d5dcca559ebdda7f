"""Grad-CAM: where the last maps of the network speak for a target.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, https://arxiv.org/abs/1610.02391. Attributions are
[H, W], at least 0, as coarse as those maps.
"""

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.network.cam import enlarged, grad_cam, silence
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, TargetGradients
from explain.request.parameters import ExplanationParameters


def _steps(subject: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    look = TargetGradients(subject, subject.inputs, parameters.output, activation=True)
    yield [look]
    height, width = subject.picture.shape[:2]
    attributions = []
    for target, gradients in zip(look.targets, look.activation_gradients, strict=True):
        heat = finite(enlarged(grad_cam(look.activations, gradients), height, width, parameters.interpolation))
        attributions.append(Attribution(target, heat, notes=silence(heat)))
    return Explanation(look.logits, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + targets, 1 + targets)


ALGORITHM = Algorithm("gradcam", _steps, _passes, needs_cam_layer=True)
