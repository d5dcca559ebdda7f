"""Targets: which labels to explain, as indices into the list of labels."""

from collections.abc import Callable, Sequence

from torch import Tensor

from explain.errors import ExplanationError
from explain.request.parameters import ExplanationParameters
from models.labels import Label, named, shown
from settings.excerpt import excerpt
from settings.expectation import did_you_mean

# logits of one image, float32 [C] on the CPU -> indices of labels, none of them being a valid answer
TargetSelector = Callable[[Tensor], Sequence[int]]


def target_selector(parameters: ExplanationParameters, labels: Sequence[Label], *, independent: bool) -> TargetSelector:
    """Return what selects the targets that a request asks for.

    These are the labels that it names, or its `top_k`. A request with neither gets the predicted label, or, where
    labels are `independent`, all labels above its threshold.
    Raises ExplanationError, code `target_unknown`, for a name or index that is not a label of the model.
    """
    if parameters.target is not None:
        return fixed_targets(*(_index(target, labels) for target in parameters.target))
    if parameters.top_k is not None:
        return top_targets(parameters.top_k)
    return targets_above(parameters.confidence_score_threshold_multilabel) if independent else predicted_target


def target_count(parameters: ExplanationParameters, labels: Sequence[Label]) -> int:
    """Return the number of targets; 1 where only the scores will tell."""
    return len(parameters.target or ()) or min(parameters.top_k or 1, len(labels))


def predicted_target(logits: Tensor) -> Sequence[int]:
    """Select the label with the highest score."""
    return [int(logits.argmax())]


def fixed_targets(*targets: int) -> TargetSelector:
    """Select these labels whatever the scores are."""
    return lambda logits: targets


def targets_above(threshold: float) -> TargetSelector:
    """Select all labels whose independent probability is above `threshold`, in [0, 1]."""
    return lambda logits: (logits.sigmoid() > threshold).nonzero().flatten().tolist()


def top_targets(k: int) -> TargetSelector:
    """Select the `k` labels with the highest scores, or all if there are fewer."""
    return lambda logits: [int(index) for index in logits.topk(min(k, len(logits))).indices]


def _index(target: int | str, labels: Sequence[Label]) -> int:
    """Return the index of a label: a number is a position even where labels are numbers, a text names a label."""
    if isinstance(target, int) and target < len(labels):
        return target
    names = [named(label) for label in labels]
    meant = [index for index, name in enumerate(names) if name == target]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ExplanationError(
            "target_unknown",
            f"The target {excerpt(target)} is the name of {len(meant)} labels of this model. Give the position of "
            f"one instead: {', '.join(map(str, meant[:8]))}{', ...' if len(meant) > 8 else ''}.",
        )
    known = shown(labels, 8)
    hint = did_you_mean(target, names) if isinstance(target, str) else ""
    raise ExplanationError(
        "target_unknown",
        f"The target {excerpt(target)} is no label of this model. Give a label ({known}) or a number from 0 to "
        f"{len(labels) - 1}.{hint}",
    )
