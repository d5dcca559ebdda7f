"""Metrics of the server as a whole: its processes, its version, what is ready; read by Prometheus itself."""

import os
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from server.process_metrics import ProcessMetrics
from settings.version import product_version
from tests.support import http
from tests.support.servers.live_server import LiveServer
from tests.support.system_tools import system_tool

# a request takes 0.1 s of processor time in the script; or 1 s in a process that nobody waits for, whose id it replies
SCRIPT = """
import subprocess, sys
BUSY = "import time; end = time.process_time() + {0}\\nwhile time.process_time() < end: pass"
PARENT = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {BUSY.format(1)!r}], stdout=-3).pid)"
def init(): pass
def run(data):
    if data == "orphan":
        return int(subprocess.check_output([sys.executable, "-c", PARENT]))
    exec(BUSY.format(0.1))
    return 0
"""
PROMETHEUS = """
scrape_configs:
  - job_name: sightglass
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    script = tmp_path_factory.mktemp("script") / "score.py"
    script.write_text(SCRIPT)
    with LiveServer("--entry-script", script, "--http-processes", "2") as server:
        yield server


def work(server: LiveServer, data: str = "") -> int:
    with http.Client() as client:  # on a connection of its own, so that both HTTP processes get some
        return int(client.post(server.url + "/score", content=data).raise_for_status().json())


def cpu_s(server: LiveServer) -> float:
    return server.metric("process_cpu_seconds_total")


def test_the_usual_metrics_are_of_all_processes_together(server: LiveServer) -> None:
    supervisor = psutil.Process(server.process.pid)
    processes = [supervisor, *supervisor.children(recursive=True)]
    assert len(processes) == 5, "two for HTTP, and a script with its worker"
    resident = sum(process.memory_info().rss for process in processes)
    assert server.metric("process_resident_memory_bytes") == pytest.approx(resident, rel=0.2)
    assert server.metric("process_start_time_seconds") == pytest.approx(supervisor.create_time(), abs=2)
    assert 5 < server.metric("process_open_fds") <= max(process.num_fds() for process in processes) + 5
    assert server.metric("process_max_fds") == supervisor.rlimit(psutil.RLIMIT_NOFILE)[0]


def test_processor_time_counts_and_stays_when_its_process_has_ended(server: LiveServer) -> None:
    before = cpu_s(server)
    for _ in range(5):
        work(server)
    worked = cpu_s(server)
    assert worked >= before + 0.45
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "start.py" in " ".join(process.cmdline()) or "server.api" in process.cmdline():
            process.kill()
    seen = []
    for _ in range(20):
        seen.append(cpu_s(server))
        time.sleep(0.05)
    server.wait_ready()
    seen.append(cpu_s(server))
    assert seen[0] >= worked and seen == sorted(seen), "a counter never goes down"


def test_processor_time_of_orphans_is_not_lost(server: LiveServer) -> None:
    before = cpu_s(server)
    orphan = work(server, "orphan")
    server.wait_for(lambda: not psutil.pid_exists(orphan), 60)  # so it was reaped too
    assert cpu_s(server) >= before + 0.9


def test_a_process_that_has_gone_does_not_spoil_a_scrape() -> None:
    process = subprocess.Popen(["sleep", "60"])
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    families = {family.name: family.samples[0].value for family in ProcessMetrics(process.pid).collect()}
    assert families["process_resident_memory_bytes"] == 0
    process.wait()
    assert list(ProcessMetrics(process.pid).collect()) == []


def test_build_and_readiness(server: LiveServer) -> None:
    labels = {"version": product_version(), "torch": version("torch")}
    assert server.metric("sightglass_build_info", **labels) == 1
    server.wait_ready()
    assert server.metric("sightglass_ready") == 1
    assert server.metric("sightglass_deployment_ready", deployment="score") == 1
    (script,) = server.children("server.scripts")
    script.suspend()  # else the next one may be ready before anybody looks
    script.kill()
    server.wait_for(lambda: server.metric("sightglass_ready") == 0)
    assert server.metric("sightglass_deployment_ready", deployment="score") == 0
    server.wait_for(lambda: server.metric("sightglass_ready") == 1, 60)


def test_promtool_finds_nothing_to_complain_of(server: LiveServer, fridge_server: LiveServer) -> None:
    work(server)
    for each in (server, fridge_server):
        text = http.get(each.url + "/metrics").text
        command = [system_tool("promtool"), "check", "metrics"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_prometheus_sees_every_request_once_when_a_process_is_killed(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(PROMETHEUS.format(target=server.url.removeprefix("http://")))
    words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    with (tmp_path / "log").open("w") as log:
        command = [system_tool("prometheus"), *words, "--web.listen-address=127.0.0.1:0"]
        process = subprocess.Popen(command, stderr=log)
    try:
        address = wait_for_address(process.pid)

        def query(text: str) -> float:
            reply = http.get(f"{address}/api/v1/query", params={"query": text}).json()
            return sum(float(series["value"][1]) for series in reply["data"]["result"])

        server.wait_for(lambda: http.get(f"{address}/-/ready").status_code == 200)
        server.wait_for(lambda: query("up") == 1)
        before = server.metric("sightglass_requests_total", route="/score", code="200")
        for number in range(20):
            work(server)
            if number == 10:
                server.children("server.api")[0].kill()
                time.sleep(0.5)
                server.wait_ready()
        after = server.metric("sightglass_requests_total", route="/score", code="200")
        assert after == before + 20
        server.wait_for(lambda: query('sightglass_requests_total{route="/score",code="200"}') == after)
        names = http.get(f"{address}/api/v1/label/__name__/values").json()["data"]
        counters = [name for name in names if name.endswith(("_total", "_count", "_sum", "_bucket"))]
        assert {"process_cpu_seconds_total", "sightglass_request_seconds_bucket"} < set(counters)
        assert {name: query(f"sum(resets({name}[5m]))") for name in counters} == dict.fromkeys(counters, 0.0)
    finally:
        process.kill()
        process.wait()


def wait_for_address(pid: int) -> str:
    """Return the address on which a process listens, once it does."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return f"http://127.0.0.1:{connection.laddr.port}"
        time.sleep(0.05)
    raise AssertionError("prometheus does not listen")
