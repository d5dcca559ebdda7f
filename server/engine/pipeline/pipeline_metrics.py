"""PipelineMetrics: the metrics that an engine updates for every image and every batch.

Metrics are in files that all processes share, so each write takes time. Gauges of the queue are written at most ten
times a second.
"""

from collections.abc import Mapping

from server.engine.scheduling.job import DECODED_BATCHES
from server.engine.scheduling.scheduler import Scheduler
from server.ipc.outcome import STAGES
from server.metrics import DeploymentMetrics

_EVERY_S = 0.1


class PipelineMetrics:
    """The metrics of one engine or decode worker. Not thread-safe."""

    def __init__(self, metrics: DeploymentMetrics) -> None:
        self._metrics = metrics
        self._stages = [metrics.stage_seconds(stage) for stage in STAGES]
        self._due = 0.0
        self._depth = 0

    def runtime(self, name: str, engines: int) -> None:
        """Set whether this engine scores with a runtime (1) or no longer does (0)."""
        self._metrics.runtime(name, engines)

    def batch(self, images: int, busy_s: float) -> None:
        """Count a batch and the seconds that it kept the device busy."""
        self._metrics.batch(images)
        self._metrics.device_busy(busy_s)

    def explanation_slice(self, seconds: float, busy_s: float) -> None:
        """Count the seconds that a slice of explanations took, and those in which it kept the device busy."""
        self._metrics.slice_seconds.observe(seconds)
        self._metrics.device_busy(busy_s)

    def stages(self, seconds: Mapping[str, float]) -> None:
        """Count the seconds that an image spent in each of STAGES."""
        for stage, value in zip(self._stages, seconds.values(), strict=True):
            stage.observe(value)

    def dropped(self, reason: str, images: int = 1) -> None:
        """Count images that were not scored."""
        self._metrics.dropped(reason).inc(images)

    def cancelled(self, images: int) -> None:
        """Count images that were not scored because their client left."""
        self._metrics.cancelled.inc(images)

    def queue(self, scheduler: Scheduler, now: float) -> None:
        """Set the gauges of the queue: at the first call in each 0.1 s, and when the queue becomes empty."""
        depth = scheduler.depth(besides=DECODED_BATCHES)  # a decode worker counts its images itself
        if now < self._due and (depth or not self._depth):
            return
        self._due, self._depth = now + _EVERY_S, depth
        self._metrics.queue_jobs.set(depth)
        self._metrics.queue_seconds.set(scheduler.wait_s("score"))
