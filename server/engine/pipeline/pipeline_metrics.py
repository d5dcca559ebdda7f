"""PipelineMetrics: the metrics that change with every picture, written no more often than is of use.

Their values live in files that all processes share, so that each write has its price.
"""

from collections.abc import Mapping

from server.engine.scheduling.jobs import DECODED_BATCHES
from server.engine.scheduling.scheduler import Scheduler
from server.ipc.outcome import STAGES
from server.metrics import DeploymentMetrics

_EVERY_S = 0.1


class PipelineMetrics:
    """Those of one engine. Not for several threads at once."""

    def __init__(self, metrics: DeploymentMetrics) -> None:
        self._stages = [metrics.stage_seconds(stage) for stage in STAGES]
        self._jobs = metrics.queue_jobs
        self._wait_ms = metrics.queue_ms
        self._due = 0.0
        self._depth = 0

    def stages(self, seconds: Mapping[str, float]) -> None:
        """Note the seconds that a picture spent in each of STAGES."""
        for stage, value in zip(self._stages, seconds.values(), strict=True):
            stage.observe(value)

    def queue(self, scheduler: Scheduler, now: float) -> None:
        """Show how much is queued, at the first call of each tenth of a second, and when nothing is any more."""
        depth = scheduler.depth(besides=DECODED_BATCHES)  # a decode worker counts its pictures itself
        if now < self._due and (depth or not self._depth):
            return
        self._due, self._depth = now + _EVERY_S, depth
        self._jobs.set(depth)
        self._wait_ms.set(1000 * scheduler.wait_s("score"))
