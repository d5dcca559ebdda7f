"""Precision: in which type a run computes its layers, measured where the processor could gain from a smaller one."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from data.progress import ProgressReport
from training.loop.batches import BatchOrder
from training.loop.device import moved
from training.recipe import Recipe, StepPlan

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_PAYS = 1.1  # times as fast
_MEASURED = 16  # examples
_ROUNDS = 3


def autocast(precision: str, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """Return what layers run under: "fp32", "bf16" or "fp16"."""
    kind = _TYPES.get(precision)
    return lambda: torch.autocast(device.type, kind, enabled=kind is not None)


def choose_precision(
    wanted: str, recipe: Recipe, order: BatchOrder, device: torch.device, report: ProgressReport
) -> str:
    """Return the precision of a run: the wanted one or, for "auto", bf16 where it is measured to be faster.

    The network is afterwards as it was before.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    capabilities = torch.cpu.get_capabilities()
    if not any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16")):
        return "fp32"
    plan = order.plan(0, 0)
    # At the end of the training, where progressive sizes have become the full size
    batch = recipe.batch(StepPlan(plan.indexes[:_MEASURED], plan.rngs[:_MEASURED], plan.shared, 0.999))
    before = {name: tensor.clone() for name, tensor in recipe.network.state_dict().items()}
    recipe.network.train()
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    # By turns, so that other work on the machine slows both down alike; the first of each only warms up
    for _ in report.each(range(1 + _ROUNDS), "comparing bf16 with fp32"):
        for precision, taken in seconds.items():
            taken.append(_seconds(recipe, moved(batch, device), precision, device))
    recipe.network.load_state_dict(before)
    recipe.network.zero_grad(set_to_none=True)
    fastest = {precision: min(taken[1:]) for precision, taken in seconds.items()}
    return "bf16" if fastest["bf16"] * _PAYS < fastest["fp32"] else "fp32"


def _seconds(recipe: Recipe, batch: Any, precision: str, device: torch.device) -> float:
    torch.manual_seed(0)
    start = time.perf_counter()
    with autocast(precision, device)():
        losses = recipe.losses(recipe.network, batch)
    torch.stack([each.float() for each in losses.values()]).sum().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def gradient_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """Return what keeps small gradients of float16 from becoming 0; it does nothing for other types."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
