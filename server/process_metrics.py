"""ProcessMetrics: what all processes of the server use together, by the names that Prometheus' clients give it."""

import resource
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from server.process_tree import ProcessUsage, descendants, process_usage

_MOST_LOOKS = 10


class ProcessMetrics(Collector):
    """Collects from the supervisor, with the process id `root`, and from all processes below it."""

    def __init__(self, root: int) -> None:
        self._root = root

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. It reads some files for each process: call it in a thread."""
        if not (usages := self._usages()):
            return
        files, limit = max((_open_files(each.pid) for each in usages), key=lambda found: found[0] / max(1, found[1]))
        # its processes and what those have left behind that ended; none is counted twice or gets lost
        cpu_s = sum(each.cpu_s + each.ended_s for each in usages)
        yield CounterMetricFamily(
            "process_cpu_seconds",
            "User and system time of all processes of the server together, those that have ended included.",
            cpu_s,
        )
        yield GaugeMetricFamily(
            "process_resident_memory_bytes",
            "Resident memory of all processes of the server together; memory that several share counts in each.",
            sum(each.resident_bytes for each in usages),
        )
        yield GaugeMetricFamily("process_open_fds", "Open files of the process that is nearest to its limit.", files)
        yield GaugeMetricFamily("process_max_fds", "How many files that process may open.", limit)
        yield GaugeMetricFamily(
            "process_start_time_seconds",
            "When the server started, in seconds since 1970.",
            _boot_time_s() + usages[0].started_s,
        )

    def _usages(self) -> list[ProcessUsage]:
        """Return the usage of each process. A process that is reaped between two looks would be counted twice or not.

        So it looks until two looks in a row have found the same processes alive, and the same of those that ended.
        """
        before: list[tuple[int, float]] = []
        for _ in range(_MOST_LOOKS):
            found = [process_usage(pid) for pid in (self._root, *descendants(self._root))]
            usages = [each for each in found if each is not None]
            now = [(each.pid, each.ended_s) for each in usages]
            if now == before:
                break
            before = now
        return usages


def _open_files(pid: int) -> tuple[int, int]:
    """Return how many files a process has open and how many it may open, (0, 1) where it has gone."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir())), resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
    except (OSError, PermissionError):
        return 0, 1


def _boot_time_s() -> float:
    (line,) = (line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return float(line.split()[1])
