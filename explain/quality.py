"""Quality: how the score of a label reacts when the pixels that an attribution calls important are added or removed.

Petsiuk et al., RISE, https://arxiv.org/abs/1806.07421. Pixels are put into the blurred picture (insertion) or blurred
in the picture (deletion), the most important ones first, a tenth of all at a time: eleven forward passes each.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from explain.attribution import Attribution, Explanation
from explain.integration.baselines import start
from explain.network.explained_image import ExplainedImage
from explain.network.work_items import ExplanationSteps, ForwardPass
from explain.request.parameter_types import Measure

PASSES = 11  # for one measure of one target
_KEPT = 3  # the step at which the top 30% are in, as in the pictures


def measured(steps: ExplanationSteps, subject: ExplainedImage, measures: Sequence[Measure]) -> ExplanationSteps:
    """Let `steps` explain the subject, then measure each of its attributions."""
    explanation: Explanation = yield from steps
    if not measures or not explanation.attributions:
        return explanation
    blurred = start("blur", subject)
    scores = {
        (number, measure): [
            ForwardPass(inputs, "probability") for inputs in _series(subject, blurred, one.values, measure)
        ]
        for number, one in enumerate(explanation.attributions)
        for measure in measures
    }
    yield [score for series in scores.values() for score in series]
    found = [
        replace(one, quality=_figures(one, {measure: scores[number, measure] for measure in measures}))
        for number, one in enumerate(explanation.attributions)
    ]
    return replace(explanation, attributions=tuple(found))


def _series(subject: ExplainedImage, blurred: Tensor, values: Tensor, measure: Measure) -> list[Tensor]:
    """Make the eleven inputs, float32 [3, H, W], from nothing to everything changed."""
    importance = values.sum(0) if values.ndim == 3 else values
    order = importance.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    rank = rank.view(importance.shape).to(subject.inputs.device)
    before, after = (blurred, subject.inputs) if measure == "insertion" else (subject.inputs, blurred)
    return [torch.where(rank < step * rank.numel() // (PASSES - 1), after, before) for step in range(PASSES)]


def _figures(one: Attribution, series: dict[Measure, list[ForwardPass]]) -> dict[str, float]:
    figures = {}
    for measure, scores in series.items():
        outputs = torch.stack([score.outputs[one.target] for score in scores])
        figures[f"{measure}_auc"] = float(torch.trapezoid(outputs) / (PASSES - 1))
        figures["top_30_kept" if measure == "insertion" else "top_30_removed"] = float(outputs[_KEPT])
    return figures
