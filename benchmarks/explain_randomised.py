"""How much maps depend on the weights: if all or some are drawn anew, the maps should change."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn

from benchmarks.explain_rows import Explainer
from benchmarks.explain_scenes import Scenes
from benchmarks.explain_scores import Interval, interval, likeness

DRAWN_ANEW: Mapping[str, tuple[str, ...]] = {"head": ("head",), "last stage": ("stage3", "head"), "all": ("",)}


def check_weights(scenes: Scenes, explainers: Mapping[str, Explainer], number: int) -> dict[str, dict[str, Interval]]:
    """Return the rank correlation of maps before and after some weights are drawn anew, per explainer and part."""
    executor = scenes.executor
    cases = list(islice(scenes, number))
    before = {name: [one.maps(executor, case)[0] for case in cases] for name, one in explainers.items()}
    found: dict[str, dict[str, Interval]] = {name: {} for name in explainers}
    inputs = torch.cat([executor.normalise(case.picture[None].float()) for case in cases])
    for extent, parts in DRAWN_ANEW.items():
        other = replace(executor, network=drawn_anew(executor.network, parts, inputs))
        for name, explainer in explainers.items():
            alike, seeds = [], []
            for case, maps in zip(cases, before[name], strict=True):
                after, _ = explainer.maps(other, case)
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
