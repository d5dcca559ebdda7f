"""ControlGroup: bounds the processor time of some processes as a container does, by a quota of the scheduler."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

_PERIOD_US = 100_000
_V1 = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")


class ControlGroup:
    """A new control group whose processes together may use `cores`; a context manager, for root.

    Its processes must have ended, or left it, before it ends.
    """

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._folder = (_V1 if _V1.exists() else _V2) / f"benchmark-{os.getpid()}"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        quota = str(round(self._cores * _PERIOD_US))
        if _V1.exists():
            (self._folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (self._folder / "cpu.cfs_quota_us").write_text(quota)
        else:
            (self._folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.rmdir()

    def add(self, processes: Iterable[int]) -> None:
        """Move running processes into the group, by their numbers. What they start later is in it too."""
        for process in processes:
            (self._folder / "cgroup.procs").write_text(str(process))
