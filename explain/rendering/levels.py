"""From attributions to what a heat map shows: one weight for each pixel, its level, and the most important pixels."""

import numpy as np
from numpy.typing import NDArray

from explain.errors import ExplanationError
from explain.request.parameter_types import Sign

Values = NDArray[np.float32]


def weights(values: Values, sign: Sign) -> Values:
    """Reduce attributions to one number for each pixel.

    values: float [3, H, W], summed over the colours, or [H, W]. Returns float32 [H, W]: the magnitude ("absolute"),
    what speaks for the label ("positive", otherwise 0), or both ("signed").
    Raises ExplanationError, code `attribution_invalid`, for NaN and infinite values.
    """
    if values.ndim not in (2, 3):
        raise ValueError(f"attributions of the shape {values.shape}; expected [3, H, W] or [H, W]")
    if not np.isfinite(values).all():
        raise ExplanationError(
            "attribution_invalid",
            "The attribution holds values that are no finite numbers: the model's gradients overflow for this picture.",
        )
    flat = values.astype(np.float64)
    flat = flat.sum(axis=0) if flat.ndim == 3 else flat
    # scaled first, so that tiny and huge values stay in the range of float32
    flat /= np.abs(flat).max(initial=0.0) or 1.0
    if sign == "absolute":
        flat = np.abs(flat)
    elif sign == "positive":
        flat = flat.clip(min=0.0)
    return flat.astype(np.float32)


def levels(weight: Values, outlier_percent: float) -> Values:
    """Scale weights, float32 [H, W], so that a few strong pixels do not darken the rest: float32 [H, W] in [-1, 1].

    Level 1 is the magnitude up to which the sorted magnitudes add up to (100 - outlier_percent) % of their sum, as in
    the hosted original. Stronger pixels are clipped to it. Weights that are all 0 stay 0.
    """
    ordered = np.sort(np.abs(weight), axis=None).astype(np.float64)
    sums = ordered.cumsum()
    if not sums.size or sums[-1] == 0.0:
        return np.zeros_like(weight)
    at = np.searchsorted(sums, sums[-1] * (1.0 - outlier_percent / 100.0))
    # rounding may place the total behind the last element
    scale = ordered[min(int(at), ordered.size - 1)]
    scaled: Values = (weight / scale).clip(-1.0, 1.0).astype(np.float32)
    return scaled


def most_important(weight: Values, share: float) -> NDArray[np.bool_]:
    """Mark the pixels of the highest weights, float32 [H, W]: at most `share` in [0, 1] of all.

    Pixels with equal weights are marked together or not at all, so there may be fewer, and none in a constant map.
    """
    count = int(share * weight.size)
    if count >= weight.size:
        return np.ones(weight.shape, dtype=np.bool_)
    highest_outside = np.partition(weight, weight.size - count - 1, axis=None)[weight.size - count - 1]
    marked: NDArray[np.bool_] = weight > highest_outside
    return marked
