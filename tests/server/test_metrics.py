"""Metrics that autoscalers read: how long work waits, and how busy devices are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.engines.fake_model import FINE, FakeModel
from tests.support.engines.pipeline_harness import Bench, codes

ENGINE = """
import sys
from server.metrics import DeploymentMetrics, Metrics
DeploymentMetrics(Metrics(), "fridge", int(sys.argv[1])).queue_seconds.set(float(sys.argv[2]))
"""
SCRAPE = "import sys; from server.metrics import exposition; sys.stdout.buffer.write(exposition())"


def run(folder: Path, code: str, *arguments: str) -> str:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, check=True, capture_output=True, text=True
    ).stdout


def test_the_wait_of_a_deployment_is_that_of_its_slowest_engine(tmp_path: Path) -> None:
    for number, seconds in enumerate(("0.3", "0.45")):
        run(tmp_path, ENGINE, str(number), seconds)
    families = {family.name: family for family in text_string_to_metric_families(run(tmp_path, SCRAPE))}
    (sample,) = families["sightglass_queue_seconds"].samples
    assert (sample.labels, sample.value) == ({"deployment": "fridge"}, 0.45), "not the sum of both"


def test_a_device_is_busy_once_for_all_images_of_a_batch() -> None:
    bench = Bench(FakeModel(seconds=0.05))
    assert codes(bench.submit([FINE] * 4).wait()) == ["ok"] * 4
    busy = value(bench, "sightglass_device_busy_seconds_total", deployment="fake", engine="0")
    stages = value(bench, "sightglass_stage_seconds_sum", deployment="fake", stage="device")
    assert busy == pytest.approx(0.05 * len(bench.model.batches), rel=0.9)
    assert len(bench.model.batches) < 4 and stages > 1.5 * busy, "each image waited for its whole batch"


def test_a_device_that_fails_is_busy_with_every_try() -> None:
    bench = Bench(FakeModel(seconds=0.02, memory=1))
    assert codes(bench.submit([FINE] * 4).wait()) == ["ok"] * 4
    assert value(bench, "sightglass_device_busy_seconds_total", deployment="fake", engine="0") >= 0.02 * len(
        bench.model.batches
    )


def value(bench: Bench, name: str, **labels: str) -> float:
    (found,) = (
        sample.value
        for family in (bench.metrics.device_busy, bench.metrics.stage_seconds)
        for metric in family.collect()
        for sample in metric.samples
        if sample.name == name and sample.labels == labels
    )
    return float(found)
