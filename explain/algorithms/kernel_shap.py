"""KernelSHAP: Shapley values of superpixels, from one regression over images that show some of them.

Lundberg and Lee, A Unified Approach to Interpreting Model Predictions, https://arxiv.org/abs/1705.07874, as captum
computes it. Attributions are [H, W], equal within a superpixel; those of all superpixels sum to the score's change.
"""

from torch import Tensor

from explain.perturbation.captum_methods import AT_ONCE, CaptumMethod, Forward, captum_algorithm
from explain.perturbation.least_squares import LeastSquares
from explain.request.parameters import ExplanationParameters


def _attribute(forward: Forward, visible: Tensor, n_samples: int) -> Tensor:
    from captum.attr import KernelShap

    method = KernelShap(forward)
    method.interpretable_model = LeastSquares()
    values: Tensor = method.attribute(visible, baselines=0, n_samples=n_samples, perturbations_per_eval=AT_ONCE)
    return values


def _passes(parameters: ExplanationParameters) -> int:
    return parameters.n_masks


ALGORITHM = captum_algorithm("kernel_shap", CaptumMethod(_attribute, lambda rows, places: rows), _passes)
