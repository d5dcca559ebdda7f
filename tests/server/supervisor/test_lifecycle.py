"""Start, refusal and end of the real server, with an eye on its exit codes and its children."""

import ast
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from models.folder.registration import register
from server.ipc.process_config import ProcessConfig
from server.service import main
from server.supervisor.launcher import ENGINE_ENVIRONMENT, check_model
from settings.server import ServerSettings
from tests.support import http
from tests.support.contract import contract
from tests.support.folders.checkpoints import write_automl_folder
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer, run_server

FINE = encoded(painted(1, 120, 90), "JPEG")
SMALL = (80, 64)


def children_of(server: LiveServer) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process], within_s: float = 10) -> None:
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    assert alive == []


def test_sigint_ends_it_with_0_and_leaves_no_process(fridge_folder: Path) -> None:
    with LiveServer("--model", fridge_folder, "--http-processes", "2") as server:
        family = children_of(server)
        assert len(family) == 3
        assert server.stop(signal.SIGINT) == 0
        assert_gone(family, 1)


@contract("Routes, headers and life cycle", "A stop waits for requests in flight")
def test_sigterm_under_load_loses_nothing(fridge_folder: Path) -> None:
    with LiveServer("--model", fridge_folder, "--http-processes", "2", "--drain-delay-ms", "500") as server:
        outcomes: Counter[str] = Counter()
        started = threading.Barrier(9)

        def client() -> None:
            started.wait()
            with http.Client() as client:
                while True:
                    try:
                        reply = client.post(server.url + "/score", content=FINE, timeout=30)
                        outcomes[str(reply.status_code)] += 1
                    except httpx.ConnectError:
                        outcomes["port closed"] += 1
                        return
                    except httpx.TransportError as error:
                        outcomes[f"lost: {error!r}"] += 1
                        return

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        started.wait()
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: server.probe("/health/ready") in (503, 0), 2)
        for thread in threads:
            thread.join(30)
        assert server.process.wait(30) == 0
    assert set(outcomes) == {"200", "port closed"}, outcomes
    assert outcomes["port closed"] == 8


def test_sigterm_ends_readiness_before_the_port_and_leaves_no_process(fridge_folder: Path) -> None:
    with LiveServer("--model", fridge_folder, "--drain-delay-ms", "1500") as server:
        family = children_of(server)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: server.probe("/health/ready") == 503, 1)
        reply = http.get(server.url + "/health/ready")
        assert reply.json()["code"] == "draining"
        reply = server.score([FINE])
        assert reply.status_code == 200, "work that still arrives is done"
        assert reply.headers["connection"] == "close"
        assert server.process.wait(10) == 0
        assert_gone(family, 1)


def test_a_killed_http_process_is_replaced(fridge_server: LiveServer) -> None:
    (before,) = fridge_server.children("server.api")
    before.kill()
    before.wait(10)
    fridge_server.wait_for(lambda: fridge_server.probe("/health/ready") == 200)
    assert fridge_server.score([FINE]).status_code == 200


def test_children_ignore_signals_meant_for_the_parent(fridge_server: LiveServer) -> None:
    family = children_of(fridge_server)
    for child in family:
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert fridge_server.score([FINE]).status_code == 200
    assert children_of(fridge_server) == family


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "No model is named"),
        (("--model", "x", "--port", "70000"), "--port is '70000'; expected a whole number from 0 to 65535"),
        (("--model", "x", "--prot", "1"), "Did you mean '--port'"),
        (("--model", "x", "--keys-file", "/no/such/file"), "/no/such/file cannot be read"),
    ],
    ids=["no model", "bad port", "unknown flag", "no keys file"],
)
def test_bad_usage_is_2(arguments: tuple[str, ...], words: str) -> None:
    done = run_server(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_too_few_open_files_are_2(
    fridge_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (32, 4096))
    assert main(["--model", str(fridge_folder), "--port", "0"]) == 2
    assert (
        "A process may have 32 files open; at least 64 are needed. Raise it with ulimit -n" in capsys.readouterr().err
    )


def test_a_port_in_use_is_2(fridge_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_server("--model", fridge_folder, "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "Cannot listen on 127.0.0.1" in done.stderr


def test_grpc_without_its_packages_is_2(
    fridge_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("server.service.find_spec", lambda _: None)
    assert main(["--model", str(fridge_folder), "--port", "0", "--grpc-port", "8001"]) == 2
    assert "--grpc-port is 8001, but the packages for gRPC are not installed: pip install '.[grpc]'" in (
        capsys.readouterr().err
    )


def test_a_model_that_is_not_there_is_3(tmp_path: Path) -> None:
    done = run_server("--model", tmp_path / "nothing", "--port", "0")
    assert done.returncode == 3
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@contract("Routes, headers and life cycle", "Exit code 3 where the model cannot be served")
def test_a_model_that_does_not_load_is_3(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, name="resnet18", labels=("a", "b"))
    weights = next(folder.rglob("model.pt"))
    weights.write_bytes(weights.read_bytes()[:100_000])
    done = run_server("--model", folder, "--port", "0")
    assert done.returncode == 3
    assert done.stderr.count("error:") == 1
    assert "damaged or incomplete" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_do_not_fit_are_3_and_named(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, name="resnet18", labels=("a", "b"), settings={"valid_crop_size": "224"})
    done = run_server("--model", folder, "--port", "0")
    assert done.returncode == 3
    for part in ("settings.json", "'valid_crop_size'", "'224'", "a whole number from 1 to 8192"):
        assert part in done.stderr


def test_check_prints_every_value_and_its_source_and_opens_no_port(tmp_path: Path) -> None:
    folder = write_automl_folder(
        tmp_path, name="resnet18", labels=("a", "b"), sizes=SMALL, settings={"resize_size": 90}
    )
    done = run_server("--model", folder, "--check", env={"SIGHTGLASS_QUEUE_LIMIT_MS": "700"})
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["queue_limit_ms", "700", "SIGHTGLASS_QUEUE_LIMIT_MS"] in lines
    assert ["host", "127.0.0.1", "default"] in lines
    assert any(line[:2] == ["valid_resize_size", "90"] and line[2].endswith("settings.json") for line in lines)
    assert ["architecture", "resnet18"] in lines
    assert "best batch" in done.stdout


def test_check_refuses_like_the_server(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, name="resnet18", labels=("a", "b"), settings={"valid_crop_size": 0})
    done = run_server("--model", folder, "--check")
    assert done.returncode == 3
    assert "'valid_crop_size' is 0" in done.stderr


@contract("Checkpoints and model folders", "AZUREML_MODEL_DIR and MLFLOW_MODEL_FOLDER name the folder")
def test_the_hosted_environment_variables_name_the_model_and_a_stray_key_is_a_warning(tmp_path: Path) -> None:
    stray = {"valid_crop_sise": 64}
    write_automl_folder(tmp_path, "mlflow-model", name="resnet18", labels=("a", "b"), sizes=SMALL, settings=stray)
    env = {"AZUREML_MODEL_DIR": str(tmp_path), "MLFLOW_MODEL_FOLDER": "mlflow-model"}
    with LiveServer(env=env) as server:
        assert server.score([FINE]).json()[0]["labels"] == ["a", "b"]
        assert "Did you mean 'valid_crop_size'" in server.log()
    done = run_server("--port", "0", "--strict-settings", env=env)
    assert done.returncode == 3
    assert "'valid_crop_sise'" in done.stderr


def test_a_registered_model_is_served_by_name(tmp_path: Path, fridge_folder: Path) -> None:
    root = tmp_path / "root"
    for _ in range(2):
        register(fridge_folder, root, "fridge")
    with LiveServer("--model-root", root, "--name", "fridge@latest") as server:
        assert "fridge/2" in server.log()
        assert server.score([FINE]).status_code == 200
    for unknown in (("--name", "fridge@7"), ("--name", "fridge", "--model-version", "7")):
        done = run_server("--model-root", root, *unknown, "--port", "0")
        assert done.returncode == 3
        assert "Versions: 1, 2" in done.stderr


def test_check_warms_up_with_the_memory_settings_of_an_engine(tmp_path: Path, fridge_folder: Path) -> None:
    seen = tmp_path / "environment"
    engine = tmp_path / "engine.py"
    engine.write_text(f"import os, sys; open({str(seen)!r}, 'w').write(repr((dict(os.environ), sys.argv[1:])))")
    config = ProcessConfig(settings=ServerSettings(), folder=fridge_folder)
    assert check_model(config, (sys.executable, str(engine))) == 0
    environment, arguments = ast.literal_eval(seen.read_text())
    assert arguments == ["--check"]
    set_by_tests = {"GOMP_SPINCOUNT": "1000"}  # an operator's own value stays
    assert (ENGINE_ENVIRONMENT | set_by_tests).items() <= environment.items()
