"""MovingAverage: the exponential moving average of a network's weights, which detects better than the last weights.

The first steps change a network much, so the average forgets them sooner: its decay grows with the updates, as in
yolov5's published training.
"""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class MovingAverage:
    """A copy of a network, in evaluation mode, that follows its floating-point weights and statistics slowly.

    Update k, from 1, keeps the share `decay * (1 - exp(-k / ramp))` of the average.
    """

    def __init__(self, network: nn.Module, decay: float = 0.9999, ramp: float = 2000) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.updates = 0
        self._decay, self._ramp = decay, ramp

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average towards a network of the same layers on the same device."""
        self.updates += 1
        moved = 1 - self._decay * (1 - math.exp(-self.updates / self._ramp))
        averages, values = [], []
        for average, value in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, values, moved)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on as if nothing had happened."""
        return {"updates": self.updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of an average of the same network."""
        self.updates = int(state["updates"])
        self.network.load_state_dict(state["network"])
