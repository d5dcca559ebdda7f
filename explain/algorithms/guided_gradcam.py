"""Guided Grad-CAM: guided backpropagation where Grad-CAM says that it matters.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, https://arxiv.org/abs/1610.02391. Attributions are
signed, [3, H, W]: the product of the two, from one forward pass.
"""

from explain.algorithm import Algorithm
from explain.attribution import Attribution, Explanation, finite
from explain.method import Method
from explain.network.cam import enlarged, grad_cam, silence
from explain.network.explained_image import ExplainedImage
from explain.network.guidance import notes
from explain.network.work_items import ExplanationSteps, TargetGradients


def _steps(subject: ExplainedImage, method: Method) -> ExplanationSteps:
    look = TargetGradients(
        subject, subject.inputs, method.output, activation=True, guided=True, guide_relu6=method.guide_relu6
    )
    yield [look]
    height, width = subject.picture.shape[:2]
    attributions = []
    for target, at_layer, guided in zip(look.targets, look.activation_gradients, look.gradients, strict=True):
        heat = enlarged(grad_cam(look.activations, at_layer), height, width, method.interpolation)
        attributions.append(Attribution(target, finite(heat * guided), notes=notes(look.guides) + silence(heat)))
    return Explanation(look.logits, tuple(attributions))


ALGORITHM = Algorithm("guided_gradcam", _steps, passes=lambda method, targets: 1 + 2 * targets, needs_cam_layer=True)
