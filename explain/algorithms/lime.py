"""LIME: the superpixels that a linear model of the score near the image gives weight to.

Ribeiro et al., "Why Should I Trust You?", https://arxiv.org/abs/1602.04938, as captum computes it, with the paper's
choices for images: cosine distance, a kernel of width 0.25 and ridge regression. Attributions are [H, W], equal within
a superpixel.
"""

from torch import Tensor

from explain.perturbation.captum_methods import AT_ONCE, CaptumMethod, Forward, captum_algorithm
from explain.perturbation.least_squares import LeastSquares
from explain.request.parameters import ExplanationParameters

_KERNEL_WIDTH = 0.25
_RIDGE = 1.0


def _attribute(forward: Forward, visible: Tensor, n_samples: int) -> Tensor:
    from captum.attr import Lime
    from captum.attr._core.lime import get_exp_kernel_similarity_function

    method = Lime(
        forward,
        interpretable_model=LeastSquares(_RIDGE),
        similarity_func=get_exp_kernel_similarity_function("cosine", _KERNEL_WIDTH),
    )
    values: Tensor = method.attribute(visible, baselines=0, n_samples=n_samples, perturbations_per_eval=AT_ONCE)
    return values


def _passes(parameters: ExplanationParameters) -> int:
    return parameters.n_masks


ALGORITHM = captum_algorithm("lime", CaptumMethod(_attribute, lambda rows, places: rows), _passes)
