"""Integrated gradients: the gradient at each pixel, averaged on the way from a baseline to the image.

Sundararajan et al., Axiomatic Attribution for Deep Networks, https://arxiv.org/abs/1703.01365. Attributions are signed,
[3, H, W], and sum to the change of the output.
"""

from dataclasses import replace

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation
from explain.integration.noise import noisy_copies
from explain.integration.path_integral import (
    average,
    baseline_passes,
    integrate,
    path_integrals,
    step_counts,
    time_limit_note,
)
from explain.integration.quadrature import quadrature
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, ForwardPass
from explain.request.parameter_types import ONE_NUMBER
from explain.request.parameters import ExplanationParameters

_WIDE_GAP = 0.05  # a completeness gap from here on gets a note


def _steps(image: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    output, n_steps = parameters.output, parameters.n_steps
    forward = ForwardPass(image.network, image.inputs, output)
    copies = [ForwardPass(image.network, inputs, output) for inputs in noisy_copies(image.inputs, parameters)]
    baselines = baseline_passes(image, parameters)
    yield [forward, *copies, *baselines]
    rule = None if n_steps == "auto" else quadrature(parameters.approximation_method, n_steps)
    by_target = [
        path_integrals(copies or [forward], baselines, target, output, rule) for target in image.targets(forward.logits)
    ]
    all_integrals = [integral for integrals in by_target for integral in integrals]
    in_time = yield from integrate(all_integrals, parameters, image.out_of_time)
    return Explanation(forward.logits, tuple(_with_notes(average(integrals), in_time) for integrals in by_target))


def _with_notes(attribution: Attribution, in_time: bool) -> Attribution:
    notes = [] if in_time else [time_limit_note(attribution)]
    if attribution.gap is not None and attribution.gap >= _WIDE_GAP:
        notes.append(f"The attributions miss {attribution.gap:.0%} of the output's change. Use more steps.")
    return replace(attribution, notes=tuple(notes))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    baselines, copies = len(parameters.baseline), parameters.noise_samples
    once, each_step = 1 + copies + baselines, 2 * baselines * max(1, copies) * targets
    least, most = step_counts(parameters)
    return PassCount(once + each_step * least, once + each_step * most)


ALGORITHM = Algorithm(
    "integrated_gradients", _steps, _passes, explains=frozenset({"classifier", "detector"}), aspects=ONE_NUMBER
)
