"""The real server around a model that looks at nothing: python -m benchmarks.noop_server, with the server's flags.

What is left is the cost of everything but the model. Run with `engine` as its first argument it is the engine.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.classifier import Classifier
from models.images import ImageLimits
from models.picture import Look, Picture
from settings.model import ModelSettings
from tests.other_model import serve_with


class NoOp(Classifier):
    """Neither decodes nor computes."""

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: ModelSettings) -> Picture:
        """Return a look at nothing."""
        return Picture((Look(torch.zeros(0), self.pixels),))

    def outputs(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Return the same logits for each view."""
        return [torch.zeros(len(self.definition.labels)) for _ in views]


if __name__ == "__main__":
    serve_with(NoOp, "benchmarks.noop_server")
