"""Agreement: what a model says of drawn pictures, beside what it says eagerly and in float32.

It decides whether another runtime, or bf16 and fp16, may score. Explanations are computed in float32 whatever the
precision of scores, so that attributions stay as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models.errors import ModelError
from models.loaded import LoadedModel, exact
from models.runtime.deviation import Deviation


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of `pictures` have the same best label, or the same labels of all boxes; and how far numbers differ."""

    same: int
    pictures: int
    deviation: Deviation

    def __str__(self) -> str:
        return f"{self.same} of {self.pictures} pictures have the same labels, {self.deviation}"


def compared(model: LoadedModel, reference: LoadedModel, inputs: Sequence[Any]) -> Agreement:
    """Compare one batch of `calibration`, on the thread that computes."""
    judge: Any = model
    found, expected = judge.outputs(inputs), reference.outputs(inputs)
    same = sum(_labels(one) == _labels(other) for one, other in zip(found, expected, strict=True))
    return Agreement(same, len(inputs), judge.deviation(found, expected))


def together(found: Iterable[Agreement]) -> Agreement:
    """Sum up batches: the worst deviation counts."""
    batches = list(found)
    worst = max((each.deviation for each in batches), key=lambda each: (not each.fits, each.largest))
    return Agreement(sum(each.same for each in batches), sum(each.pictures for each in batches), worst)


def precision_of(model: LoadedModel) -> Agreement | None:
    """Compare a model with itself in fp32, on the thread that computes; None for one that is in fp32."""
    if model.precision.exact:
        return None
    reference = exact(model)
    return together(compared(model, reference, inputs) for inputs in model.calibration())


def check_precision(found: Agreement | None, forced: bool) -> None:
    """Raise ModelError where a smaller type changes more than is allowed, unless that is what the operator wants."""
    if found is not None and not found.deviation.fits and not forced:
        raise ModelError(
            f"The precision is too small for this model: {found}. Use fp32, or --force-precision if this will do."
        )


def _labels(output: Any) -> Sequence[int]:
    if isinstance(output, torch.Tensor):
        return [int(output.argmax())]
    return list(output.labels.tolist())
