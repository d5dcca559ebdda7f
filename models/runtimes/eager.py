"""Eager: the network as it is, layer by layer, its batch norms folded; every device can, and nothing is converted."""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from models.networks.folding import fold
from models.runtime.runtime import EAGER, Graph, Terms, Work


class Eager:
    """The runtime that needs no conversion. Its weights are those of the network, but for what was folded."""

    name = EAGER
    converts = False
    seconds = 0.0

    def obstacle(self, terms: Terms) -> str | None:
        """Say that there is none."""
        return None

    def version(self) -> str:
        """Return nothing: there are no files."""
        return ""

    def convert(self, work: Work, terms: Terms, folder: Path) -> None:
        """Do nothing."""

    def load(self, work: Work, folder: Path | None, terms: Terms) -> Graph:
        """Fold a copy, and use it if it computes the same but for rounding, which odd weights enlarge."""
        module = _folded(work, terms.device)

        def graph(inputs: Tensor) -> tuple[Tensor, ...]:
            with terms.precision.applied(terms.device):
                found = module(inputs.to(terms.device, non_blocking=True))
            return (found,) if isinstance(found, Tensor) else tuple(found)

        return graph


def _folded(work: Work, device: torch.device) -> nn.Module:
    shared = {id(tensor): tensor for tensor in (*work.module.parameters(), *work.module.buffers())}
    copied = copy.deepcopy(work.module, memo=shared)
    fold(copied)
    example = _noise(work.example).to(device)
    with torch.inference_mode():
        try:
            plain, folded = work.module(example), copied(example)
        except (RuntimeError, ValueError, AssertionError):
            return work.module  # which cannot see such pictures: whoever loads it finds out, and says more about it
    pairs = [(plain, folded)] if isinstance(plain, Tensor) else list(zip(plain, folded, strict=True))
    same = all((one - other).abs().max() <= work.rounding * one.abs().max() for one, other in pairs)
    return copied if same else work.module


def _noise(example: Tensor) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    if example.is_floating_point():
        return torch.randn(example.shape, generator=chance)
    return torch.randint(0, 256, example.shape, dtype=example.dtype, generator=chance)


RUNTIME = Eager()
