"""Agreement: a model's outputs for drawn images, compared with those it computes eagerly and in float32.

It decides whether another runtime, or bf16 and fp16, may score. Explanations are always computed in float32, so the
precision of scores does not change attributions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models.errors import ModelError
from models.loaded import LoadedModel, reference_model
from models.runtime.deviation import Deviation


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of `images` have the same best label, or the same labels of all boxes; and how far numbers differ."""

    same: int
    images: int
    deviation: Deviation

    def __str__(self) -> str:
        return f"{self.same} of {self.images} pictures have the same labels, {self.deviation}"


def compare(model: LoadedModel, reference: LoadedModel, inputs: Sequence[Any]) -> Agreement:
    """Compare one batch of `calibration`; call it on the thread that computes."""
    candidate: Any = model
    outputs, expected = candidate.outputs(inputs), reference.outputs(inputs)
    same = sum(_labels(one) == _labels(other) for one, other in zip(outputs, expected, strict=True))
    return Agreement(same, len(inputs), candidate.deviation(outputs, expected))


def merge(agreements: Iterable[Agreement]) -> Agreement:
    """Sum up the agreements of several batches; the worst deviation counts."""
    batches = list(agreements)
    worst = max((each.deviation for each in batches), key=lambda each: (not each.fits, each.largest))
    return Agreement(sum(each.same for each in batches), sum(each.images for each in batches), worst)


def precision_agreement(model: LoadedModel) -> Agreement | None:
    """Compare a model with itself in fp32, on the thread that computes; None for a model in fp32."""
    if model.precision.full:
        return None
    reference = reference_model(model)
    return merge(compare(model, reference, inputs) for inputs in model.calibration())


def check_precision(agreement: Agreement | None, forced: bool) -> None:
    """Raise ModelError where the precision changes outputs by more than is allowed, unless the operator forces it."""
    if agreement is not None and not agreement.deviation.fits and not forced:
        raise ModelError(
            f"The precision is too small for this model: {agreement}. Use fp32, or --force-precision if this will do."
        )


def _labels(output: Any) -> Sequence[int]:
    if isinstance(output, torch.Tensor):
        return [int(output.argmax())]
    return list(output.labels.tolist())
