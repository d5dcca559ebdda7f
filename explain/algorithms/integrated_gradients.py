"""Integrated gradients: the gradient at each pixel, averaged on the way from a baseline to the picture.

Sundararajan et al., Axiomatic Attribution for Deep Networks, https://arxiv.org/abs/1703.01365. Attributions are signed,
[3, H, W], and sum to the change of the output.
"""

from dataclasses import replace

from explain.algorithm import Algorithm
from explain.attribution import Attribution, Explanation
from explain.integration.noise import noisy
from explain.integration.path_integral import averaged, integrals, late, most_steps, refined, scored_starts
from explain.integration.quadrature import quadrature
from explain.method import BaselineName, Method
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, ForwardPass

_BASELINES: tuple[BaselineName, ...] = ("blur",)  # blind to no colour
_WIDE = 0.05  # a completeness gap that people should know of


def _steps(subject: ExplainedImage, method: Method) -> ExplanationSteps:
    own = ForwardPass(subject.inputs, method.output)
    copies = [ForwardPass(copy, method.output) for copy in noisy(subject.inputs, method)]
    starts = scored_starts(subject, method, method.baselines or _BASELINES)
    yield [own, *copies, *starts]
    rule = None if method.n_steps == "auto" else quadrature(method.approximation_method, method.n_steps)
    groups = [integrals(copies or [own], starts, target, method, rule) for target in subject.targets(own.logits)]
    in_time = yield from refined([integral for group in groups for integral in group], method, subject.enough)
    return Explanation(own.logits, tuple(_noted(averaged(group), in_time) for group in groups))


def _noted(found: Attribution, in_time: bool) -> Attribution:
    notes = [] if in_time else [late(found)]
    if found.gap is not None and found.gap >= _WIDE:
        notes.append(f"The attributions miss {found.gap:.0%} of the output's change. Use more steps.")
    return replace(found, notes=tuple(notes))


def _passes(method: Method, targets: int) -> int:
    starts, copies = len(method.baselines or _BASELINES), method.noise_samples
    return 1 + copies + starts + 2 * most_steps(method) * starts * max(1, copies) * targets


ALGORITHM = Algorithm("integrated_gradients", _steps, _passes)
