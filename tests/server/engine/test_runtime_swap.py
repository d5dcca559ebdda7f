"""A server that looks for a faster runtime while it serves: nothing is lost or changed, and nothing is left behind."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer, run_server

IMAGES = [encoded(painted(seed, 120, 90), "JPEG") for seed in range(3)]
# a compiler would take half a minute more
ENV = {"CXX": "no-such-compiler"}


def serving(folder: Path, cache: Path, runtime: str) -> LiveServer:
    return LiveServer("--model", folder, "--runtime", runtime, "--cache-folder", cache, env=ENV)


def probs(server: LiveServer) -> list[float]:
    reply = server.score(IMAGES)
    assert reply.status_code == 200, reply.text
    rows: Any = reply.json()
    return [value for row in rows for value in row["probs"]]


def test_it_scores_alike_while_it_tries_and_starts_with_the_choice(fridge_folder: Path, tmp_path: Path) -> None:
    with serving(fridge_folder, tmp_path, "auto") as server:
        assert "engine ready device=cpu runtime=eager" in server.log()
        expected = probs(server)

        def chosen() -> bool:
            assert probs(server) == pytest.approx(expected, abs=1e-5)
            return "runtime chosen" in server.log()

        server.wait_for(chosen, 120)
        assert probs(server) == pytest.approx(expected, abs=1e-5)
        (file,) = tmp_path.glob("*/choice.json")
        choice = json.loads(file.read_text())
        assert "no C++ compiler 'no-such-compiler'" in choice["reasons"]["compiled"]
        assert "probabilities differ by up to" in choice["reasons"]["openvino"]
        assert runtime_of(server) == {choice["runtime"]: 1.0}
    with serving(fridge_folder, tmp_path, "auto") as server:
        assert f"engine ready device=cpu runtime={choice['runtime']}" in server.log()
        assert probs(server) == pytest.approx(expected, abs=1e-5)
        assert "runtime chosen" not in server.log()
    with serving(fridge_folder, tmp_path, "openvino") as server:
        assert runtime_of(server) == {"openvino": 1.0}
        assert probs(server) == pytest.approx(expected, abs=1e-5)


def runtime_of(server: LiveServer) -> dict[str, float]:
    """Which runtimes have how many engines, by the metrics."""
    found = {name: server.metric("sightglass_runtime", runtime=name) for name in ("eager", "openvino", "compiled")}
    return {name: value for name, value in found.items() if value}


def test_a_server_that_ends_meanwhile_takes_the_conversion_along(fridge_folder: Path, tmp_path: Path) -> None:
    with serving(fridge_folder, tmp_path, "auto") as server:
        supervisor = psutil.Process(server.process.pid)

        def converting() -> list[psutil.Process]:
            children = supervisor.children(recursive=True)
            return [child for child in children if "models.runtime.conversion" in " ".join(child.cmdline())]

        server.wait_for(converting, 30)
        found = converting()
        server.stop()
        _, alive = psutil.wait_procs(found, timeout=60)
        assert alive == []


def test_a_runtime_that_cannot_be_used_here_is_refused_with_the_reason(fridge_folder: Path, tmp_path: Path) -> None:
    done = run_server("--model", fridge_folder, "--runtime", "compiled", "--cache-folder", tmp_path, env=ENV)
    assert done.returncode == 3
    assert "The runtime compiled cannot be used: there is no C++ compiler 'no-such-compiler' here." in done.stderr
    done = run_server("--model", fridge_folder, "--runtime", "fast")
    assert done.returncode == 2
    assert "--runtime is 'fast'; expected" in done.stderr


def test_the_dry_run_says_which_precision_it_chose_and_why(fridge_folder: Path, tmp_path: Path) -> None:
    done = run_server("--model", fridge_folder, "--check", "--precision", "auto", "--cache-folder", tmp_path)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*/choice.json")
    choice = json.loads(file.read_text())
    assert choice["runtime"] in ("eager", "eager bf16")
    for part in ("times as fast as eager", "probabilities differ by up to", "(allowed 5e-02)", "ms an image, eager"):
        assert part in choice["reasons"]["eager bf16"]
    assert choice["reasons"]["eager bf16"] in done.stdout
    assert f"precision: {'bf16' if 'bf16' in choice['runtime'] else 'fp32'}\n" in done.stdout
