"""A model that ignores its images: a server of it measures the cost of everything but the model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.classifier import Classifier
from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage, ModelInput
from settings.model import ModelSettings


class NoOp(Classifier):
    """A classifier that neither decodes nor computes."""

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: ModelSettings) -> DecodedImage:
        """Return an empty input."""
        return DecodedImage((ModelInput(torch.zeros(0), self.pixels),))

    def outputs(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the same logits for each input."""
        return [torch.zeros(len(self.definition.labels)) for _ in inputs]
