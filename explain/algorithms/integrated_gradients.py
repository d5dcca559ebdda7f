"""Integrated gradients: the gradient at each pixel, averaged on the way from a baseline to the picture.

Sundararajan et al., Axiomatic Attribution for Deep Networks, https://arxiv.org/abs/1703.01365. Attributions are signed,
[3, H, W], and sum to the change of the output.
"""

from dataclasses import replace

from explain.algorithm import Algorithm, PassCount
from explain.attribution import Attribution, Explanation
from explain.integration.noise import noisy
from explain.integration.path_integral import averaged, integrals, late, refined, scored_starts, step_counts
from explain.integration.quadrature import quadrature
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, ForwardPass
from explain.request.parameters import ExplanationParameters

_WIDE = 0.05  # a completeness gap that people should know of


def _steps(subject: ExplainedImage, parameters: ExplanationParameters) -> ExplanationSteps:
    own = ForwardPass(subject.inputs, parameters.output)
    copies = [ForwardPass(copy, parameters.output) for copy in noisy(subject.inputs, parameters)]
    starts = scored_starts(subject, parameters)
    yield [own, *copies, *starts]
    rule = None if parameters.n_steps == "auto" else quadrature(parameters.approximation_method, parameters.n_steps)
    groups = [integrals(copies or [own], starts, target, parameters, rule) for target in subject.targets(own.logits)]
    in_time = yield from refined([integral for group in groups for integral in group], parameters, subject.enough)
    return Explanation(own.logits, tuple(_noted(averaged(group), in_time) for group in groups))


def _noted(found: Attribution, in_time: bool) -> Attribution:
    notes = [] if in_time else [late(found)]
    if found.gap is not None and found.gap >= _WIDE:
        notes.append(f"The attributions miss {found.gap:.0%} of the output's change. Use more steps.")
    return replace(found, notes=tuple(notes))


def _passes(parameters: ExplanationParameters, targets: int) -> PassCount:
    starts, copies = len(parameters.baseline), parameters.noise_samples
    once, each_step = 1 + copies + starts, 2 * starts * max(1, copies) * targets
    least, most = step_counts(parameters)
    return PassCount(once + each_step * least, once + each_step * most)


ALGORITHM = Algorithm("integrated_gradients", _steps, _passes)
