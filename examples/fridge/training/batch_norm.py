"""Sets and freezes the running statistics of batch norms."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def settle(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of the batch norms to those of these inputs, and leave the network in evaluation mode.

    The few steps of a last stage are not enough to move the running averages of the stages before it.
    """
    for norm in _norms(network):
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    with torch.inference_mode():
        for inputs in batches:
            network(inputs)
    network.eval()


def freeze(network: nn.Module) -> None:
    """Keep the statistics of the batch norms as they are while the rest of the network trains."""
    for norm in _norms(network):
        norm.eval()


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
