"""Runtime: a way to compute a network, faster than layer by layer.

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
    """The computation that a runtime takes over: a module that maps one tensor to one tensor or a tuple.

    `example` is such an input; later ones may have other sizes in the dimensions `free`, of which the first is the
    batch. `module` computes in float32. Folding may change outputs by `rounding` times the largest. Where `steady`, a
    batch of a given size is rounded in the same way whatever else the machine computes.
    """

    module: nn.Module
    example: Tensor
    free: tuple[int, ...] = (0,)
    rounding: float = 1e-6
    steady: bool = False


@dataclass(frozen=True, slots=True)
class ComputeOptions:
    """Where and how a graph computes: on a GPU, or on `threads` threads of a CPU, in some precision."""

    device: torch.device
    precision: Precision
    threads: int = field(default_factory=torch.get_num_threads)


class Runtime(Protocol):
    """One way to compute. The files of `convert` are valid for the versions and the machine that wrote them."""

    @property
    def name(self) -> str:
        """Its name in the setting `runtime` and in the logs."""

    @property
    def converts(self) -> bool:
        """Whether `load` needs files of `convert`."""

    @property
    def seconds(self) -> float:
        """About how long a conversion takes; quicker ones are tried first."""

    def unavailable_reason(self, options: ComputeOptions) -> str | None:
        """Return why it cannot be used with these options on this machine; None where it can."""

    def version(self) -> str:
        """Return the version that its files depend on."""

    def convert(self, source: GraphSource, options: ComputeOptions, folder: Path) -> None:
        """Write the files of a graph into an empty folder. Raises any exception where that fails."""

    def load(self, source: GraphSource, folder: Path | None, options: ComputeOptions) -> Graph:
        """Load a graph of `source` on the thread that will run it, from the files of `convert` if there are any.

        Raises any exception where that fails.
        """


def available() -> dict[str, Runtime]:
    """Return all runtimes by name, also those that cannot be used here; the quickest conversions come first."""
    all_runtimes = (runtime for _, runtime in constants(runtimes, "RUNTIME"))
    return {runtime.name: runtime for runtime in sorted(all_runtimes, key=lambda runtime: runtime.seconds)}


def processor() -> str:
    """Return a text that identifies the kind of this machine's processor: its model and instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return f"{platform.machine()} {platform.processor()}"
    facts = [line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features"))]
    return f"{platform.machine()} {sorted(set(facts))}"
