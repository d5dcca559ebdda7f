"""Runtime: a way to compute what a network computes, faster than layer by layer.

Most convert a network once, in a process of its own (models.runtime.conversion), to files that an engine then loads.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from models import runtimes
from models.discovery import constants
from models.runtime.precision import Precision

Graph = Callable[[Tensor], Sequence[Tensor]]

EAGER = "eager"
AUTO = "auto"  # the fastest


@dataclass(frozen=True, slots=True)
class GraphSource:
    """What is to be computed: a module that takes one tensor and returns one, or a tuple.

    `example` is such a tensor, whose sizes may differ later in the dimensions named by `free`, the batch being the
    first. `module` computes in float32. Folding may change its values by `rounding` of the largest.
    """

    module: nn.Module
    example: Tensor
    free: tuple[int, ...] = (0,)
    rounding: float = 1e-6


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """Where and how a graph computes: on so many threads of a CPU, or on a GPU, in some arithmetic."""

    device: torch.device
    precision: Precision
    threads: int = field(default_factory=torch.get_num_threads)


class Runtime(Protocol):
    """One way to compute. Files of `convert` are valid for the versions and the machine that made them."""

    @property
    def name(self) -> str:
        """What the setting `runtime` and the logs call it."""

    @property
    def converts(self) -> bool:
        """Whether `load` needs files of `convert`."""

    @property
    def seconds(self) -> float:
        """About how long a conversion takes; those that take less are tried first."""

    def obstacle(self, options: ComputeOptions) -> str | None:
        """Say why it cannot be used with these options here; None where it can."""

    def version(self) -> str:
        """Return what its files depend on besides the network."""

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        """Write the files of a graph into an empty folder; any exception where it cannot."""

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        """Load a graph of `source`, from the files of `convert` if there are any, on the thread that will run it.

        Any exception where it cannot.
        """


def available() -> dict[str, Runtime]:
    """Return all runtimes by name, whether or not they can be used here, those that are quickly made first."""
    found = (runtime for _, runtime in constants(runtimes, "RUNTIME"))
    return {runtime.name: runtime for runtime in sorted(found, key=lambda runtime: runtime.seconds)}


def processor() -> str:
    """Return what tells this machine's processor from others: its kind, and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return f"{platform.machine()} {platform.processor()}"
    told = [line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features"))]
    return f"{platform.machine()} {sorted(set(told))}"
