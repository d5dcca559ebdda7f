"""What maps owe to the weights: drawn anew, wholly or in part, they should give other maps."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn

from benchmarks.explain_scenes import Scenes
from benchmarks.explain_scores import Interval, interval, likeness
from benchmarks.explain_variants import ExplanationVariant

DRAWN_ANEW: Mapping[str, tuple[str, ...]] = {"head": ("head",), "last stage": ("stage3", "head"), "all": ("",)}


def check_weights(
    scenes: Scenes, variants: Mapping[str, ExplanationVariant], number: int
) -> dict[str, dict[str, Interval]]:
    """Return the rank correlation of maps before and after some weights are drawn anew, per variant and part."""
    passes = scenes.passes
    cases = list(islice(scenes, number))
    before = {name: [one.maps(passes, case)[0] for case in cases] for name, one in variants.items()}
    found: dict[str, dict[str, Interval]] = {name: {} for name in variants}
    inputs = torch.cat([passes.normalise(case.picture[None].float()) for case in cases])
    for extent, parts in DRAWN_ANEW.items():
        other = replace(passes, network=drawn_anew(passes.network, parts, inputs))
        for name, variant in variants.items():
            alike, seeds = [], []
            for case, maps in zip(cases, before[name], strict=True):
                after, _ = variant.maps(other, case)
                alike += [likeness(one, two) for one, two in zip(maps, after, strict=True)]
                seeds += [case.seed] * len(maps)
            found[name][extent] = interval(alike, seeds)
    return found


def drawn_anew(network: nn.Module, parts: Sequence[str], inputs: Tensor) -> nn.Module:
    """Copy a network, its parts ("" for all of it) initialised again and their batch norms fitted to `inputs`."""
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
