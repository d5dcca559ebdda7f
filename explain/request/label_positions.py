"""Positions of labels, as requests name what to explain."""

from collections.abc import Sequence

from explain.errors import ExplanationError
from models.labels import Label, named, shown
from settings.excerpt import excerpt
from settings.expectation import did_you_mean

PREDICTED = "predicted"  # the target that is the label of the highest score


def label_position(target: int | str, labels: Sequence[Label], subject: str = "The target", more: str = "") -> int:
    """Return the position of a label: a number is a position even where labels are numbers, a text names a label.

    Raises ExplanationError, code `target_unknown`, for a name or position that is not there. `subject` and `more` say
    in its message what the label is for, and what else may be given.
    """
    if isinstance(target, int) and target < len(labels):
        return target
    names = [named(label) for label in labels]
    meant = [index for index, name in enumerate(names) if name == target]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ExplanationError(
            "target_unknown",
            f"{subject} {excerpt(target)} is the name of {len(meant)} labels of this model. Give the position of "
            f"one instead: {', '.join(map(str, meant[:8]))}{', ...' if len(meant) > 8 else ''}.",
        )
    known = shown(labels, 8)
    hint = did_you_mean(target, names) if isinstance(target, str) else ""
    raise ExplanationError(
        "target_unknown",
        f"{subject} {excerpt(target)} is no label of this model. Give a label ({known}) or a number from 0 to "
        f"{len(labels) - 1}{more}.{hint}",
    )
