"""How many cores this process may really use: its CPU set, and the quota of its container."""

import os
from pathlib import Path

from settings.server import ServerSettings

_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1 = (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def usable_cores() -> int:
    """Return at least 1. Without this, PyTorch in a container starts a thread for every core of its host."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return allowed if quota is None else max(1, min(allowed, round(quota)))


def cpu_threads(settings: ServerSettings) -> int:
    """Return the CPU threads that the settings ask for, or for which the container has cores.

    Engines of GPUs share those; on a CPU they take turns with all of them.
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
