"""Guided Grad-CAM: guided backpropagation where Grad-CAM says that it matters.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, https://arxiv.org/abs/1610.02391. Attributions are
signed, [3, H, W]: the product of the two, from one forward pass.
"""

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation, finite
from explain.network.cam import enlarged, grad_cam, silence
from explain.network.explained_image import ExplainedImage
from explain.network.guidance import notes
from explain.network.work_items import ExplanationSteps, TargetGradients
from explain.request.parameters import ExplanationParameters


def _steps(subject: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    look = TargetGradients(
        subject, subject.inputs, parameters.output, activation=True, guided=True, guided_relu6=parameters.guided_relu6
    )
    yield [look]
    height, width = subject.picture.shape[:2]
    attributions = []
    for target, at_layer, guided in zip(look.targets, look.activation_gradients, look.gradients, strict=True):
        heat = enlarged(grad_cam(look.activations, at_layer), height, width, parameters.interpolation)
        attributions.append(Attribution(target, finite(heat * guided), notes=notes(look.guides) + silence(heat)))
    return Explanation(look.logits, tuple(attributions))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    return PassCount(1 + 2 * targets, 1 + 2 * targets)


ALGORITHM = Algorithm("guided_gradcam", _steps, _passes, needs_cam_layer=True)
