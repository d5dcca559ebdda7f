"""RunOptions: what a person may say about a run beside its job file."""

from dataclasses import dataclass, field
from pathlib import Path

from data.check import FaultPolicy
from data.sources.located_reading import Stores


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`runs` is the folder of all runs. `stores` says where images are, `policy` what is done about faults.

    `weights` is a file or folder of weights to start from, `source_run` a run whose best network goes on. `cache` is
    where decoded images are kept; without it that is the run's folder, until the run has finished. `tracking` is the
    address of an MLflow server.
    """

    stores: Stores
    runs: Path = Path("runs")
    policy: FaultPolicy = field(default_factory=FaultPolicy)
    device: str | None = None
    weights: str | None = None
    source_run: str | None = None
    download: bool = False
    cache: Path | None = None
    tensorboard: bool = False
    tracking: str | None = None
