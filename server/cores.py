"""The number of cores that this process may use, by its CPU set and the quota of its container."""

import os
from pathlib import Path

from settings.server import ServerSettings

_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1 = (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def usable_cores() -> int:
    """Return the number of usable cores, at least 1. By itself, PyTorch counts all cores of a container's machine."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def cpu_threads(settings: ServerSettings) -> int:
    """Return the number of CPU threads of an engine: that of the settings, or else one for each usable core.

    Engines on GPUs share the cores. Each engine on a CPU gets all of them, since only one of these computes at a time.
    """
    on_gpus = all(device.startswith("cuda") for device in settings.device)
    return settings.cpu_threads or max(1, usable_cores() // (len(settings.device) if on_gpus else 1))


def _quota() -> float | None:
    try:
        limit, period = (
            _CGROUP_V2.read_text().split() if _CGROUP_V2.exists() else [file.read_text() for file in _CGROUP_V1]
        )
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError):  # no cgroup, or "max": unlimited
        return None
