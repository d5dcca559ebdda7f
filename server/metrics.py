"""All metrics. Values are in files that all processes share, so any HTTP process can answer a scrape."""

import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from server.metric_values import locked_files, merge_counts
from settings.version import product_version

logger = logging.getLogger(__name__)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The metrics of one process. PROMETHEUS_MULTIPROC_DIR must be set before this module is imported."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._ended: set[int] = set()  # processes whose counts are in files of their own
        self.requests = Counter(
            "sightglass_requests",
            "Requests answered, by route, status code and the deployment that was chosen, if one was.",
            ["route", "code", "deployment"],
            registry=own,
        )
        self.request_seconds = Histogram(
            "sightglass_request_seconds",
            "From the first byte of a request to the last of its reply, by route.",
            ["route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.stage_seconds = Histogram(
            "sightglass_stage_seconds",
            "Time of an image in a stage: decode, queue, device or encode; of a request to a script: queue or run.",
            ["deployment", "stage"],
            buckets=_SECONDS,
            registry=own,
        )
        self.batch_images = Histogram(
            "sightglass_batch_images", "Images in a batch.", ["deployment"], buckets=_IMAGES, registry=own
        )
        self.device_busy = Counter(
            "sightglass_device_busy_seconds",
            "Time in which an engine's device computed batches or explanations, by the number of the engine.",
            ["deployment", "engine"],
            registry=own,
        )
        self.slice_seconds = Histogram(
            "sightglass_explanation_slice_seconds",
            "Device time of a slice of explanations, the longest that scoring waits for one.",
            ["deployment"],
            buckets=_SECONDS,
            registry=own,
        )
        self.queue_jobs = Gauge(
            "sightglass_queue_jobs",
            "Images, or requests to a script, queued or running.",
            ["deployment"],
            multiprocess_mode="livesum",
            registry=own,
        )
        self.queue_seconds = Gauge(
            "sightglass_queue_seconds",
            "Predicted wait of an image or of a request to a script that arrives now; the longest of all engines.",
            ["deployment"],
            multiprocess_mode="livemax",
            registry=own,
        )
        self.dropped = Counter(
            "sightglass_dropped_images",
            "Images that were not scored, by reason: deadline, undecodable, failed or out_of_memory; requests that "
            "were refused, with the reason queue_full; requests to a script that were too late, with the reason "
            "deadline.",
            ["deployment", "reason"],
            registry=own,
        )
        self.cancelled = Counter(
            "sightglass_cancelled_images",
            "Images, or requests to a script, that did not run because their client left before.",
            ["deployment"],
            registry=own,
        )
        self.mirrored = Counter(
            "sightglass_mirrored_images",
            "Images that a shadow deployment got too, by its prediction: same, other, failed, or skipped when busy.",
            ["deployment", "outcome"],
            registry=own,
        )
        self.runtime = Gauge(
            "sightglass_runtime",
            "Engines that score with a runtime.",
            ["deployment", "runtime"],
            multiprocess_mode="livesum",
            registry=own,
        )
        self.engine_restarts = Counter(
            "sightglass_engine_restarts",
            "Engine processes, their decode workers, and processes of scripts that ended and were started again.",
            registry=own,
        )
        self.workers = Gauge(
            "sightglass_script_workers",
            "Worker processes of a script that have run init() and answer requests.",
            ["deployment"],
            multiprocess_mode="livesum",
            registry=own,
        )
        self.worker_restarts = Counter(
            "sightglass_script_worker_restarts",
            "Worker processes of a script that ended, or were killed when a request timed out, and were replaced.",
            ["deployment"],
            registry=own,
        )
        self.keys_stale = Gauge(
            "sightglass_keys_stale",
            "1 while --keys-file (keys: scoring) or --admin-keys-file (keys: admin) cannot be used, so that the keys "
            "read before stay in force.",
            ["keys"],
            multiprocess_mode="livemax",
            registry=own,
        )

    def forget_process(self, pid: int) -> None:
        """Remove the gauges of a process that has ended, and merge its counts with those of others that have."""
        remove_gauges(pid)
        self._ended.add(pid)
        for ended in tuple(self._ended):
            try:
                merge_counts(_folder(), ended)
                self._ended.discard(ended)
            except BlockingIOError:  # while a scrape reads the files: the next time, as they still count
                return
            except OSError as error:
                logger.warning("the metrics of an ended process cannot be merged pid=%d: %s", ended, error.strerror)
                return


class _OfDeployment:
    """The metrics of any deployment. Attributes that are functions take the values of the other labels."""

    def __init__(self, metrics: Metrics, deployment: str) -> None:
        self.stage_seconds = partial(metrics.stage_seconds.labels, deployment)
        self.queue_jobs = metrics.queue_jobs.labels(deployment)
        self.queue_seconds = metrics.queue_seconds.labels(deployment)
        self.dropped = partial(metrics.dropped.labels, deployment)
        self.cancelled = metrics.cancelled.labels(deployment)


class DeploymentMetrics(_OfDeployment):
    """The metrics of a deployment of a model."""

    def __init__(self, metrics: Metrics, deployment: str, engine: int = 0) -> None:
        super().__init__(metrics, deployment)
        self.batch: Callable[[float], None] = metrics.batch_images.labels(deployment).observe
        self.device_busy: Callable[[float], None] = metrics.device_busy.labels(deployment, str(engine)).inc
        self.slice_seconds = metrics.slice_seconds.labels(deployment)
        self.runtime: Callable[[str, float], None] = partial(_set_runtime, metrics.runtime, deployment)


class DecodeWorkerMetrics(DeploymentMetrics):
    """The metrics of a decode worker. Its engine counts the batches and the runtime."""

    def __init__(self, metrics: Metrics, deployment: str) -> None:
        super().__init__(metrics, deployment)
        self.batch = _uncounted
        self.device_busy = _uncounted
        self.runtime = _uncounted


class ScriptMetrics(_OfDeployment):
    """The metrics of a deployment of a script."""

    def __init__(self, metrics: Metrics, deployment: str) -> None:
        super().__init__(metrics, deployment)
        self.workers = metrics.workers.labels(deployment)
        self.worker_restarts = metrics.worker_restarts.labels(deployment)


def _set_runtime(gauge: Gauge, deployment: str, runtime: str, engines: float) -> None:
    gauge.labels(deployment, runtime).set(engines)


def _uncounted(*_: object) -> None:
    pass


def remove_gauges(pid: int) -> None:
    """Remove the gauges of a process that has ended, or is about to."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class ServiceState(Collector):
    """What is true of the server as a whole when it is asked: its version, and what is ready by name of deployment."""

    def __init__(self, ready: bool, deployments: Mapping[str, bool]) -> None:
        self._ready = ready
        self._deployments = deployments

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        build = GaugeMetricFamily(
            "sightglass_build_info",
            "1, with the versions of Sightglass, Python and PyTorch.",
            labels=["version", "python", "torch"],
        )
        build.add_metric([product_version(), platform.python_version(), version("torch")], 1)
        yield build
        yield GaugeMetricFamily("sightglass_ready", "1 while /health/ready answers 200, else 0.", int(self._ready))
        each = GaugeMetricFamily(
            "sightglass_deployment_ready", "1 while a deployment would answer a request, else 0.", labels=["deployment"]
        )
        for name, ready in self._deployments.items():
            each.add_metric([name], int(ready))
        yield each


def exposition(*collectors: Collector) -> bytes:
    """Return the metrics of all processes, and of `collectors`, in Prometheus' text format."""
    with _of_all_processes(*collectors) as registry:
        return generate_latest(registry)


def samples() -> Sequence[Sample]:
    """Return the values of all metrics, summed over all processes."""
    with _of_all_processes() as registry:
        return [sample for family in registry.collect() for sample in family.samples]


@contextmanager
def _of_all_processes(*collectors: Collector) -> Iterator[CollectorRegistry]:
    """Lend a registry of the metrics of all processes and of `collectors`, whose files stay as they are meanwhile."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    with locked_files(_folder(), exclusive=False):
        yield registry


def _folder() -> Path:
    return Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
