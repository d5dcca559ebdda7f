"""Shapley value sampling: what each superpixel adds to the score, averaged over orders in which they become visible.

Castro et al. 2009, as captum computes it; bounds on its error: Maleki et al., https://arxiv.org/abs/1306.4265.
Attributions are [H, W], equal within a superpixel; those of all superpixels sum to the change of the score.
"""

from torch import Tensor

from explain.perturbation.captum_methods import AT_ONCE, CaptumMethod, Forward, captum_algorithm
from explain.request.parameters import ExplanationParameters


def _attribute(forward: Forward, visible: Tensor, n_samples: int) -> Tensor:
    from captum.attr import ShapleyValueSampling

    values: Tensor = ShapleyValueSampling(forward).attribute(
        visible, baselines=0, n_samples=n_samples, perturbations_per_eval=AT_ONCE
    )
    return values


def _orders(rows: int, places: int) -> int:
    return (rows - 1) // places  # the first row shows nothing


def _passes(parameters: ExplanationParameters) -> int:
    return 1 + max(1, _orders(parameters.n_masks, parameters.n_segments)) * parameters.n_segments


ALGORITHM = captum_algorithm("shapley_value_sampling", CaptumMethod(_attribute, _orders), _passes)
