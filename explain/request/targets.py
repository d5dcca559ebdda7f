"""Targets: which labels a request wants explained, as indices into the list of labels."""

from collections.abc import Sequence

from torch import Tensor

from explain.errors import ExplanationError
from explain.network.explained_image import TargetSelector, fixed_targets, highest, likely
from explain.request.parameters import ExplanationParameters
from settings.expectation import did_you_mean


def choice(parameters: ExplanationParameters, labels: Sequence[str], *, independent: bool) -> TargetSelector:
    """Make the choice of targets that a request asks for.

    What it names, or its `top_k`, or else the predicted label; where labels are independent, all those above the
    threshold. ExplanationError, code `target_unknown`, where a target is no label of the model.
    """
    if parameters.target is not None:
        return fixed_targets(*(_index(target, labels) for target in parameters.target))
    if parameters.top_k is not None:
        return _best(parameters.top_k)
    return likely(parameters.confidence_score_threshold_multilabel) if independent else highest


def count(parameters: ExplanationParameters, labels: Sequence[str]) -> int:
    """Return how many targets that will be; one where only the scores will tell."""
    return len(parameters.target or ()) or min(parameters.top_k or 1, len(labels))


def _best(most: int) -> TargetSelector:
    def choose(logits: Tensor) -> Sequence[int]:
        return [int(index) for index in logits.topk(min(most, len(logits))).indices]

    return choose


def _index(target: int | str, labels: Sequence[str]) -> int:
    if isinstance(target, int) and target < len(labels):
        return target
    if isinstance(target, str) and target in labels:
        return labels.index(target)
    shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
    hint = did_you_mean(target, labels) if isinstance(target, str) else ""
    raise ExplanationError(
        "target_unknown",
        f"The target {target!r} is no label of this model. Give a label ({shown}) or a number from 0 to "
        f"{len(labels) - 1}.{hint}",
    )
