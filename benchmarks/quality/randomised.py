"""Whether maps depend on the weights: after some or all of them are initialised again, maps should change."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn

from benchmarks.quality.scenes import Scenes
from benchmarks.quality.scores import Interval, interval, likeness
from benchmarks.quality.variants import ExplanationVariant

RANDOMISED: Mapping[str, tuple[str, ...]] = {"head": ("head",), "last stage": ("stage3", "head"), "all": ("",)}


def check_weights(
    scenes: Scenes, variants: Mapping[str, ExplanationVariant], number: int
) -> dict[str, dict[str, Interval]]:
    """Return the rank correlation of maps before and after weights are initialised again, per variant and part."""
    executor = scenes.executor
    cases = list(islice(scenes, number))
    before = {name: [one.maps(executor, case)[0] for case in cases] for name, one in variants.items()}
    correlations: dict[str, dict[str, Interval]] = {name: {} for name in variants}
    inputs = torch.cat([executor.normalise(case.image[None].float()) for case in cases])
    for extent, parts in RANDOMISED.items():
        other = replace(executor, network=randomised(executor.network, parts, inputs))
        for name, variant in variants.items():
            values, seeds = [], []
            for case, maps in zip(cases, before[name], strict=True):
                after, _ = variant.maps(other, case)
                values += [likeness(one, two) for one, two in zip(maps, after, strict=True)]
                seeds += [case.seed] * len(maps)
            correlations[name][extent] = interval(values, seeds)
    return correlations


def randomised(network: nn.Module, parts: Sequence[str], inputs: Tensor) -> nn.Module:
    """Copy a network, initialise its parts ("" for all) again, and fit their batch norms to `inputs`."""
    other = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for part in parts:
            for module in other.get_submodule(part).modules():
                if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                    module.reset_parameters()
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = None
                    module.train()
        other(inputs)
    return other.eval()
