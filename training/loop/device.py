"""Devices: where a run computes, and how batches get there."""

import os
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from training.errors import TrainingError


def find_device(name: str | None, local_rank: int = 0) -> torch.device:
    """Return the device of that name; without one a GPU where there is one. TrainingError where it is not there."""
    if name is None:
        return torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise TrainingError(f"The device {name!r} is not there. Name another with --device, such as cpu.") from None
    return device


def compute_deterministically(device: torch.device) -> None:
    """Have a GPU compute the same bits again, at lower speed; a CPU does so anyway."""
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)


def moved(batch: Any, device: torch.device) -> Any:
    """Return nested tuples, lists, dicts and dataclasses with their tensors on a device."""
    if isinstance(batch, Tensor):
        if device.type == "cuda" and batch.device.type == "cpu":
            return batch.pin_memory().to(device, non_blocking=True)
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(moved(value, device) for value in batch)
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{each.name: moved(getattr(batch, each.name), device) for each in fields(batch)})
    return batch
