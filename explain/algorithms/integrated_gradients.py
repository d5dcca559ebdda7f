"""Integrated gradients: the gradient at each pixel, averaged on the way from a baseline to the picture.

Sundararajan et al., Axiomatic Attribution for Deep Networks, https://arxiv.org/abs/1703.01365. Attributions are signed,
[3, H, W], and sum to the change of the output.
"""

from torch import Tensor

from explain.algorithm import Algorithm
from explain.attribution import Explanation
from explain.baselines import start
from explain.integral import averaged, first_steps, integrals, most_steps, refined
from explain.method import BaselineName, Method
from explain.noise import noisy
from explain.rows import Score, Steps
from explain.subject import Subject

_BASELINES: tuple[BaselineName, ...] = ("black",)


def _steps(subject: Subject, method: Method) -> Steps:
    def score(inputs: list[Tensor]) -> list[Score]:
        return [Score(one, method.output) for one in inputs]

    (own,) = score([subject.inputs])
    copies = score(noisy(subject.inputs, method))
    names = method.baselines or _BASELINES
    starts = score([start(name, subject, method.seed) for name in names])
    yield [own, *copies, *starts]
    groups = [
        integrals(copies or [own], starts, target, method, first_steps(method))
        for target in subject.targets(own.logits)
    ]
    yield from refined([integral for group in groups for integral in group], method, subject.enough)
    return Explanation(own.logits, tuple(averaged(group) for group in groups))


def _passes(method: Method, targets: int) -> int:
    starts, copies = len(method.baselines or _BASELINES), method.noise_samples
    return 1 + copies + starts + 2 * most_steps(method) * starts * max(1, copies) * targets


ALGORITHM = Algorithm("integrated_gradients", _steps, _passes)
