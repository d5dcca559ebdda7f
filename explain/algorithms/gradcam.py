"""Grad-CAM: where the last maps of the network speak for a target.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, https://arxiv.org/abs/1610.02391. Attributions are
[H, W], at least 0, and as coarse as those maps.
"""

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.network.cam import empty_note, grad_cam, resized
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, TargetGradients
from explain.request.parameters import ExplanationParameters


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    item = TargetGradients(image, image.inputs, parameters.output, activation=True)
    yield [item]
    height, width = image.pixels.shape[:2]
    attributions = []
    for target, gradients in zip(item.targets, item.activation_gradients, strict=True):
        heat = finite(resized(grad_cam(item.activations, gradients), height, width, parameters.interpolation))
        attributions.append(Attribution(target, heat, notes=empty_note(heat)))
    return Explanation(item.logits, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + targets, 1 + targets)


ALGORITHM = Algorithm("gradcam", _steps, _passes, needs="cam_layer")
