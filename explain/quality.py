"""Quality: how the score of a label reacts when the most important pixels of an attribution are added or removed.

Petsiuk et al., RISE, https://arxiv.org/abs/1806.07421. Pixels are added to the blurred image (insertion) or blurred in
the image (deletion), the most important ones first, a tenth of all at a time: eleven forward passes each.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from explain.attribution import Attribution, Explanation
from explain.integration.baselines import baseline_inputs
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, ForwardPass
from explain.request.parameter_types import Measure

PASSES_PER_MEASURE = 11  # for one target
_TOP_30_STEP = 3  # the step at which the top 30% have changed, as in the grid visualization


def with_quality(steps: ExplanationSteps, image: ExplainedImage, measures: Sequence[Measure]) -> ExplanationSteps:
    """Run the steps of an explanation, then measure each of its attributions."""
    explanation: Explanation = yield from steps
    if not measures or not explanation.attributions:
        return explanation
    blurred = baseline_inputs("blur", image)
    passes = {
        (number, measure): [
            ForwardPass(image.network, inputs, "probability")
            for inputs in _series(image, blurred, attribution.values, measure)
        ]
        for number, attribution in enumerate(explanation.attributions)
        for measure in measures
    }
    yield [one for series in passes.values() for one in series]
    measured = [
        replace(attribution, quality=_figures(attribution, {measure: passes[number, measure] for measure in measures}))
        for number, attribution in enumerate(explanation.attributions)
    ]
    return replace(explanation, attributions=tuple(measured))


def _series(image: ExplainedImage, blurred: Tensor, values: Tensor, measure: Measure) -> list[Tensor]:
    """Return the eleven inputs, float32 [3, H, W], from nothing changed to everything changed."""
    importance = values.sum(0) if values.ndim == 3 else values
    order = importance.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    rank = rank.view(importance.shape).to(image.inputs.device)
    before, after = (blurred, image.inputs) if measure == "insertion" else (image.inputs, blurred)
    steps = PASSES_PER_MEASURE - 1
    return [torch.where(rank < step * rank.numel() // steps, after, before) for step in range(steps + 1)]


def _figures(attribution: Attribution, series: dict[Measure, list[ForwardPass]]) -> dict[str, float]:
    figures = {}
    for measure, passes in series.items():
        outputs = torch.stack([one.outputs[attribution.target] for one in passes])
        figures[f"{measure}_auc"] = float(torch.trapezoid(outputs) / (PASSES_PER_MEASURE - 1))
        figures["top_30_kept" if measure == "insertion" else "top_30_removed"] = float(outputs[_TOP_30_STEP])
    return figures
