"""The real server around a model that looks at nothing: python -m benchmarks.noop_server, with the server's flags.

What is left is the cost of everything but the model. Run with `engine` as its first argument it is the engine.
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models import loaded
from models.classifier import Classifier
from models.images import ImageLimits
from models.picture import Look, Picture
from server import __main__ as server
from settings.model import ModelSettings


class NoOp(Classifier):
    """Neither decodes nor computes."""

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: ModelSettings) -> Picture:
        """Return a look at nothing."""
        return Picture((Look(torch.zeros(0), self.pixels),))

    def outputs(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Return the same logits for each view."""
        return [torch.zeros(len(self.definition.labels)) for _ in views]


def _run_engine() -> None:
    from server.engine import process

    def load(*arguments: Any, **options: Any) -> NoOp:
        model = loaded.load_classifier(*arguments, **options)
        return NoOp(model.definition, model.network, model.device, model.dtype, model.graph)

    setattr(process, "load", load)  # noqa: B010
    process.main()


if __name__ == "__main__":
    if sys.argv[1] == "engine":
        _run_engine()
    else:
        sys.exit(server.main(sys.argv[1:], engine_command=(sys.executable, "-m", "benchmarks.noop_server", "engine")))
