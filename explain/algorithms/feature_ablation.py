"""Feature ablation: by how much the score falls without each superpixel, one at a time.

As captum computes it (Kokhlikyan et al., Captum, https://arxiv.org/abs/2009.07896). Attributions are [H, W], equal
within a superpixel.
"""

from torch import Tensor

from explain.perturbation.captum_methods import AT_ONCE, CaptumMethod, Forward, captum_algorithm
from explain.request.parameters import ExplanationParameters


def _attribute(forward: Forward, visible: Tensor, n_samples: int) -> Tensor:
    from captum.attr import FeatureAblation

    values: Tensor = FeatureAblation(forward).attribute(visible, baselines=0, perturbations_per_eval=AT_ONCE)
    return values


def _passes(parameters: ExplanationParameters) -> int:
    return 1 + parameters.n_segments


ALGORITHM = captum_algorithm("feature_ablation", CaptumMethod(_attribute), _passes)
