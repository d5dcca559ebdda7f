"""The statistics of batch norms at the end of a training."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def settle(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give the batch norms the statistics of these inputs alone, and leave the network in evaluation mode.

    The few steps of a last stage only begin to move the running averages of the stages before.
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
    """Have the batch norms use their statistics as they are, though the rest of the network trains."""
    for norm in _norms(network):
        norm.eval()


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
