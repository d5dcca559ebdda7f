"""ExplainedNetwork: a network whose outputs are explained, one number for each target."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from explain.request.parameter_types import OutputName


class ExplainedNetwork(Protocol):
    """What rows run through. Equal ones may share a batch. Its weights need no gradients; inputs may."""

    def logits(self, batch: Tensor) -> Tensor:
        """Run inputs, float32 [N, 3, H, W]; returns what `outputs` reads, with N rows."""

    def outputs(self, logits: Tensor, output: OutputName) -> Tensor:
        """Turn what `logits` returned into the numbers that are explained, float32 [N, targets]."""


@dataclass(frozen=True, slots=True)
class ClassifierNetwork:
    """A network with a logit for each label. `independent` says that each label has a probability of its own."""

    network: nn.Module
    independent: bool = False

    def logits(self, batch: Tensor) -> Tensor:
        """Run inputs, float32 [N, 3, H, W]: logits [N, C] in the precision of the network."""
        logits: Tensor = self.network(batch)
        return logits

    def outputs(self, logits: Tensor, output: OutputName) -> Tensor:
        """Return the logits [N, C] in float32, or the probabilities that they stand for."""
        match output:
            case "logit":
                return logits.float()
            case "probability" if self.independent:
                return logits.float().sigmoid()
            case _:
                return logits.float().softmax(1)
