"""Processes: the place of this process among those of a run, and what they tell each other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

_TIMEOUT = timedelta(hours=12)  # others wait while the first one evaluates


@dataclass(frozen=True, slots=True)
class Processes:
    """`rank` of `count` processes on all machines; `local_rank` among those of this machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @classmethod
    def from_environment(cls) -> "Processes":
        """Return what torchrun says in the environment; one process without it."""
        rank, count, local = (os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        return cls(int(rank), int(count), int(local or 0)) if rank and count else cls()

    @property
    def first(self) -> bool:
        """Whether this process evaluates, saves and shows progress."""
        return self.rank == 0

    @contextmanager
    def connected(self, device: torch.device) -> Iterator[None]:
        """Connect the processes of a run within a `with` block."""
        if self.count == 1:
            yield
            return
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
        try:
            yield
        finally:
            distributed.destroy_process_group()

    def any(self, value: bool, device: torch.device) -> bool:
        """Return whether the value is true in any process; all have to call this."""
        if self.count == 1:
            return value
        flag = torch.tensor(int(value), device=device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag.item())

    def mean(self, value: float, device: torch.device) -> float:
        """Return the mean of a value over the processes; all have to call this."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total.item()) / self.count

    def agreed(self, value: str) -> str:
        """Return what the first process says; all have to call this."""
        if self.count == 1:
            return value
        said: list[str] = [value]
        distributed.broadcast_object_list(said)
        return said[0]

    def wait(self) -> None:
        """Return when all processes have called this."""
        if self.count > 1:
            distributed.barrier()
