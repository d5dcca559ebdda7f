"""Eager: the network as it is, layer by layer, with batch norms folded; for every device, without a conversion."""

import copy
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from models.networks.folding import fold
from models.runtime.contention import Contention
from models.runtime.runtime import EAGER, ComputeOptions, Graph, GraphSource
from models.runtime.side_by_side import side_by_side
from models.runtime.split_graph import SplitGraph


class Eager:
    """The runtime that needs no conversion. It shares its weights with the network, except those that were folded."""

    name = EAGER
    converts = False
    seconds = 0.0

    def unavailable_reason(self, options: ComputeOptions) -> str | None:
        """Return None: it works everywhere."""
        return None

    def version(self) -> str:
        """Return nothing: there are no files."""
        return ""

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        """Do nothing."""

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        """Load the folded network."""
        graph = folded_graph(source, options)
        threads = options.threads
        if options.device.type != "cpu" or threads == 1:
            return graph
        contention = None if source.steady else Contention(threads)
        return SplitGraph(graph, partial(side_by_side(threads).compute, graph), threads, contention)


def folded_graph(source: GraphSource, options: ComputeOptions) -> Graph:
    """Fold a copy and use it if it computes the same up to rounding, which unusual weights enlarge."""
    module = _folded(source, options.device)

    def graph(inputs: Tensor) -> tuple[Tensor, ...]:
        with options.precision.applied(options.device):
            outputs = module(inputs.to(options.device, non_blocking=True))
        return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)

    return graph


def _folded(source: GraphSource, device: torch.device) -> nn.Module:
    shared = {id(tensor): tensor for tensor in (*source.module.parameters(), *source.module.buffers())}
    copied = copy.deepcopy(source.module, memo=shared)
    fold(copied)
    example = _noise(source.example[:1]).to(device)  # one tells as much as a batch
    with torch.inference_mode():
        try:
            plain, folded = source.module(example), copied(example)
        except (RuntimeError, ValueError, AssertionError):
            return source.module  # it cannot take such images; the smoke test after loading says more about that
    pairs = [(plain, folded)] if isinstance(plain, Tensor) else list(zip(plain, folded, strict=True))
    same = all((one - other).abs().max() <= source.rounding * one.abs().max() for one, other in pairs)
    return copied if same else source.module


def _noise(example: Tensor) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    if example.is_floating_point():
        return torch.randn(example.shape, generator=chance)
    return torch.randint(0, 256, example.shape, dtype=example.dtype, generator=chance)


RUNTIME = Eager()
