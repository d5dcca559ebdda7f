"""Targets: which labels to explain, as indices into the list of labels, and what each is explained against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from explain.errors import ExplanationError
from explain.request.label_positions import PREDICTED, label_position
from explain.request.parameters import ExplanationParameters
from explain.request.requested_box import RequestedBox
from models.labels import Label, named, shown
from settings.excerpt import excerpt

REST: Literal["rest"] = "rest"  # all labels but the target

# the index of a label, all labels but the target, or nothing
Reference: TypeAlias = int | Literal["rest"] | None


@dataclass(frozen=True, slots=True)
class ExplainedTarget:
    """The number to explain: the output of the label `index`, less that of what it is explained `against`.

    Of `rest`, that is the log-sum-exp of the outputs of all other labels.
    """

    index: int
    against: Reference = None

    def of(self, outputs: Tensor) -> Tensor:
        """Take this number from outputs [C]."""
        if self.against is None:
            return outputs[self.index]
        return outputs[self.index] - self.reference(outputs)

    def reference(self, outputs: Tensor) -> Tensor:
        """Take the number that is subtracted from outputs [C]; only where there is one."""
        assert self.against is not None, "a target without a reference has nothing to subtract"
        if self.against == REST:
            return torch.cat([outputs[: self.index], outputs[self.index + 1 :]]).logsumexp(0)
        return outputs[self.against]


# logits of one image, float32 [C] on the CPU -> targets, none of them being a valid answer
TargetSelector = Callable[[Tensor], Sequence[ExplainedTarget]]


def target_selector(parameters: ExplanationParameters, labels: Sequence[Label], *, independent: bool) -> TargetSelector:
    """Return what selects the targets that a request asks for.

    These are the labels that it names, or its `top_k`. A request with neither gets the predicted label, or, where
    labels are `independent`, all labels above its threshold.
    Raises ExplanationError: `target_unknown` for a name or index that is not a label of the model, and
    `xai_parameters_invalid` where a label cannot be explained against what the request names. The selector raises the
    latter for a label that only the scores reveal.
    """
    select = _selector(parameters, labels, independent=independent)
    if parameters.against is None:
        return select
    against = _reference(parameters, labels)

    for target in parameters.target or ():
        if (index := _index(target, labels)) is not None:
            _contrasted(ExplainedTarget(index), against, labels)  # refused before any work
    return lambda logits: [_contrasted(target, against, labels) for target in select(logits)]


def _selector(parameters: ExplanationParameters, labels: Sequence[Label], *, independent: bool) -> TargetSelector:
    if parameters.target is not None:
        indices = [_index(target, labels) for target in parameters.target]
        return lambda logits: [ExplainedTarget(int(logits.argmax()) if index is None else index) for index in indices]
    if parameters.top_k is not None:
        return top_targets(parameters.top_k)
    return targets_above(parameters.confidence_score_threshold_multilabel) if independent else predicted_target


def target_count(parameters: ExplanationParameters, labels: Sequence[Label]) -> int:
    """Return the number of targets; 1 where only the scores will tell."""
    return len(parameters.target or ()) or min(parameters.top_k or 1, len(labels))


def predicted_target(logits: Tensor) -> Sequence[ExplainedTarget]:
    """Select the label with the highest score."""
    return [ExplainedTarget(int(logits.argmax()))]


def fixed_targets(*targets: int | ExplainedTarget) -> TargetSelector:
    """Select these labels whatever the scores are."""
    fixed = [target if isinstance(target, ExplainedTarget) else ExplainedTarget(target) for target in targets]
    return lambda logits: fixed


def targets_above(threshold: float) -> TargetSelector:
    """Select all labels whose independent probability is above `threshold`, in [0, 1]."""
    return lambda logits: [
        ExplainedTarget(index) for index in (logits.sigmoid() > threshold).nonzero().flatten().tolist()
    ]


def top_targets(k: int) -> TargetSelector:
    """Select the `k` labels with the highest scores, or all if there are fewer."""
    return lambda logits: [ExplainedTarget(int(index)) for index in logits.topk(min(k, len(logits))).indices]


def _index(target: int | str | RequestedBox, labels: Sequence[Label]) -> int | None:
    """Return the index of a label, or None for the label that is predicted."""
    if isinstance(target, RequestedBox):
        raise ExplanationError(
            "target_unknown",
            f"The target is a box, and this model scores whole pictures. Give a label ({shown(labels, 8)}) or its "
            "position.",
        )
    if target == PREDICTED and PREDICTED not in map(named, labels):
        return None
    return label_position(target, labels)


def _reference(parameters: ExplanationParameters, labels: Sequence[Label]) -> Reference:
    against = parameters.against
    assert against is not None, "nothing to explain against was asked for"
    if against != REST or REST in map(named, labels):
        return label_position(against, labels, "In 'against',", ", or rest for all other labels")
    if parameters.output != "logit":
        raise ExplanationError(
            "xai_parameters_invalid",
            f"'against' is 'rest' and 'output' is {parameters.output!r}; rest needs the output 'logit', since the "
            "probability of a label against all others is that of the label alone. Set 'output' to 'logit', or leave "
            "'against' out.",
        )
    if len(labels) == 1:
        raise ExplanationError(
            "xai_parameters_invalid", "'against' is 'rest', but this model has no other label. Leave 'against' out."
        )
    return REST


def _contrasted(target: ExplainedTarget, against: Reference, labels: Sequence[Label]) -> ExplainedTarget:
    """Return the target against a reference; ExplanationError where both are the same label."""
    if target.index == against:
        raise ExplanationError(
            "xai_parameters_invalid",
            f"The target {excerpt(labels[target.index])} is explained against itself. Give another label in 'against', "
            "or leave it out.",
        )
    return replace(target, against=against)
