"""Guided Grad-CAM: guided backpropagation where Grad-CAM says that it matters.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, https://arxiv.org/abs/1610.02391. Attributions are
signed, [3, H, W]: the product of the two, both from one forward pass.
"""

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.network.cam import empty_note, grad_cam, resized
from explain.network.explained_image import ExplainedImage
from explain.network.guidance import guidance_note
from explain.network.work_items import ExplanationSteps, TargetGradients
from explain.request.parameters import ExplanationParameters


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    item = TargetGradients(
        image, image.inputs, parameters.output, activation=True, guided=True, guided_relu6=parameters.guided_relu6
    )
    yield [item]
    height, width = image.pixels.shape[:2]
    attributions = []
    for target, at_layer, guided in zip(item.targets, item.activation_gradients, item.gradients, strict=True):
        heat = resized(grad_cam(item.activations, at_layer), height, width, parameters.interpolation)
        notes = guidance_note(item.guided_relus) + empty_note(heat)
        attributions.append(Attribution(target, finite(heat * guided), notes=notes))
    return Explanation(item.logits, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + 2 * targets, 1 + 2 * targets)


ALGORITHM = Algorithm("guided_gradcam", _steps, _passes, needs="cam_layer")
