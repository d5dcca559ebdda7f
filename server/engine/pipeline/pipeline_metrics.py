"""PipelineMetrics: what an engine counts for every image and every batch.

Metrics live in files that all processes share, so each write has a price: gauges of the queue are written at most ten
times a second.
"""

from collections.abc import Mapping

from server.engine.scheduling.job import DECODED_BATCHES
from server.engine.scheduling.scheduler import Scheduler
from server.ipc.outcome import STAGES
from server.metrics import DeploymentMetrics

_EVERY_S = 0.1


class PipelineMetrics:
    """The metrics of one engine or decode worker. Not safe for threads."""

    def __init__(self, metrics: DeploymentMetrics) -> None:
        self._metrics = metrics
        self._stages = [metrics.stage_seconds(stage) for stage in STAGES]
        self._due = 0.0
        self._depth = 0

    def runtime(self, name: str, engines: int) -> None:
        """Note that this engine scores with a runtime (1), or no longer does (0)."""
        self._metrics.runtime(name, engines)

    def batch(self, images: int, busy_s: float) -> None:
        """Note a batch, and how long it kept the device busy."""
        self._metrics.batch(images)
        self._metrics.device_busy(busy_s)

    def explanation_slice(self, seconds: float, busy_s: float) -> None:
        """Note how long a slice of explanations took, and how much of that it kept the device busy."""
        self._metrics.slice_seconds.observe(seconds)
        self._metrics.device_busy(busy_s)

    def stages(self, seconds: Mapping[str, float]) -> None:
        """Note the seconds that an image spent in each of STAGES."""
        for stage, value in zip(self._stages, seconds.values(), strict=True):
            stage.observe(value)

    def dropped(self, reason: str, images: int = 1) -> None:
        """Note images that were not scored."""
        self._metrics.dropped(reason).inc(images)

    def cancelled(self, images: int) -> None:
        """Note images that were spared because their client left."""
        self._metrics.cancelled.inc(images)

    def queue(self, scheduler: Scheduler, now: float) -> None:
        """Show how much is queued, at the first call of each tenth of a second, and when the queue becomes empty."""
        depth = scheduler.depth(besides=DECODED_BATCHES)  # a decode worker counts its images itself
        if now < self._due and (depth or not self._depth):
            return
        self._due, self._depth = now + _EVERY_S, depth
        self._metrics.queue_jobs.set(depth)
        self._metrics.queue_ms.set(1000 * scheduler.wait_s("score"))
