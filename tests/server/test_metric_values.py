"""Metrics on a full disk, and of processes that have ended."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import http
from tests.support.servers.live_server import LiveServer

COUNT = """
import sys, resource
if sys.argv[1] != "-":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from server.metrics import Metrics
metrics = Metrics()
for number in range(int(sys.argv[2])):
    for _ in range(2):
        metrics.requests.labels("/a-long-route" * 20, "200", f"deployment-{number:04}").inc()
    metrics.request_seconds.labels("/score").observe(0.02)
"""
FORGET = """
import sys, fcntl
from pathlib import Path
from server.metrics import Metrics
metrics = Metrics()
for pid in map(int, sys.argv[2:]):
    lock = open(Path(sys.argv[1]) / "metrics.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_SH)  # as a scrape does
    metrics.forget_process(pid)
    lock.close()
    metrics.forget_process(pid)
"""
SCRAPE = "import sys; from server.metrics import exposition; sys.stdout.buffer.write(exposition())"


def run(folder: Path, code: str, *arguments: object) -> tuple[int, str, str]:
    """Run code with metrics in `folder`, and return its process id and what it wrote."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    written, errors = process.communicate()
    assert process.returncode == 0, errors
    return process.pid, written, errors


def sums(folder: Path) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(run(folder, SCRAPE)[1])
    return {
        (sample.name, str(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_files_have_the_space_that_they_seem_to_have(tmp_path: Path) -> None:
    run(tmp_path, COUNT, "-", 500)  # more than the first 64 KiB hold
    files = [file.stat() for file in tmp_path.glob("*.db")]
    assert max(file.st_size for file in files) > 2**16
    assert all(512 * file.st_blocks >= file.st_size for file in files), "else writing to a full disk is SIGBUS"


def test_values_that_no_longer_fit_are_missing_and_everything_else_goes_on(tmp_path: Path) -> None:
    *_, errors = run(tmp_path, COUNT, 100_000, 500)
    assert errors.count("no space for all metrics, some will be missing") == 1
    found = {labels: value for (name, labels), value in sums(tmp_path).items() if name == "sightglass_requests_total"}
    assert 50 < len(found) < 500
    assert set(found.values()) == {2.0}


def test_a_process_that_gets_no_file_at_all_runs_without(tmp_path: Path) -> None:
    run(tmp_path, COUNT, 1000, 3)
    assert list(tmp_path.glob("*.db")) == []
    assert sums(tmp_path) == {}


def test_counts_of_ended_processes_are_merged_and_none_is_lost(tmp_path: Path) -> None:
    pids = [run(tmp_path, COUNT, "-", count)[0] for count in (5, 400, 3)]
    before = sums(tmp_path)
    own = run(tmp_path, FORGET, tmp_path, *pids)[0]
    names = {file.name for file in tmp_path.glob("*.db")}
    assert names == {"counter_ended.db", "histogram_ended.db", f"counter_{own}.db"}
    assert sums(tmp_path) == pytest.approx(before)
    assert sum(value for (name, _), value in before.items() if name == "sightglass_request_seconds_count") == 408


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a path that is short enough for sockets
        mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
        yield Path(folder)
        subprocess.run(["umount", folder], check=True)


def test_a_server_scores_on_a_full_disk_and_its_processes_come_back(small_disk: Path, tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text("def init(): pass\ndef run(data): return 1\n")
    with LiveServer("--entry-script", script, env={"TMPDIR": str(small_disk)}) as server:
        with (small_disk / "fill").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"x" * 4096)
        (http_process,) = server.children("server.api")
        for path in ("/docs", "/v2", "/health/ready", "/metrics", "/nothing"):
            assert server.probe(path) == (404 if path == "/nothing" else 200)
        assert http.post(server.url + "/score", content="{}").json() == 1
        assert http_process.is_running(), "it has never ended"
        http_process.kill()
        server.wait_for(lambda: not http_process.is_running(), 60)
        server.wait_for(lambda: server.probe("/health/ready") == 200, 60)
        assert http.post(server.url + "/score", content="{}").json() == 1
        assert "no space for all metrics" in server.log()
        assert server.probe("/metrics") == 200
