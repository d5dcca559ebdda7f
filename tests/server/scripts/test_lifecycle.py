"""Start, refusal and end of a server of a script, with an eye on exit codes and on what is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import http
from tests.support.contract import contract
from tests.support.folders.user_scripts import write_scripts
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer, run_server
from tests.support.servers.persistent_clients import Clients


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scripts(tmp_path_factory.mktemp("scripts"))


@pytest.fixture
def server(folder: Path) -> Iterator[LiveServer]:
    flags = ("--entry-script", folder / "score.py", "--model-dir", folder / "model", "--workers", "2")
    with LiveServer(*flags, "--drain-delay-ms", "500") as running:
        yield running


def predict(server: LiveServer, client: object = http) -> object:
    body = {"do": "sleep", "seconds": 0.02}
    return client.post(server.url + "/score", json=body, timeout=60)  # type: ignore[attr-defined]


def family(server: LiveServer) -> list[psutil.Process]:
    found = psutil.Process(server.process.pid).children(recursive=True)
    assert len(found) == 4, "an HTTP process, a host and two processes of the script"
    return found


def test_sigterm_under_load_loses_nothing_and_leaves_nothing(server: LiveServer) -> None:
    everybody = family(server)
    with Clients(6, lambda client: predict(server, client)) as clients:  # type: ignore[arg-type,return-value]
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        clients.join()
    assert server.process.wait(30) == 0
    assert set(clients.outcomes) == {"200", "port closed"}, clients.outcomes
    assert clients.outcomes["port closed"] == 6
    assert clients.outcomes["200"] > 20
    assert psutil.wait_procs(everybody, timeout=2)[1] == []


def test_a_killed_supervisor_takes_all_along_whatever_they_do(server: LiveServer) -> None:
    everybody = family(server)
    with Clients(1, lambda client: client.post(server.url + "/score", json={"do": "never_let_go"})):
        time.sleep(0.5)
        server.process.kill()
    assert psutil.wait_procs(everybody, timeout=5)[1] == []


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("broken") / "score.py"
    file.write_text("def init():\n    raise OSError('no such model')\ndef run(data): pass")
    return file


@contract("Scoring scripts", "An error while the script is imported, or in init(), ends the start with 3")
def test_a_script_that_cannot_be_hosted_is_3_with_the_traceback_in_the_log(broken: Path) -> None:
    done = run_server("--entry-script", broken, "--workers", "2", "--port", "0")
    assert done.returncode == 3
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error:"))
    assert line == f"error: The script {broken} cannot be hosted: it raised OSError: no such model"
    assert f'File "{broken}", line 2, in init' in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--entry-script", "/no/such.py"), "The entry script /no/such.py does not exist"),
        (("--entry-script", "{script}", "--model-dir", "/no/such"), "/no/such does not exist"),
        (("--entry-script", "{script}", "--app-root", "/no/such"), "The app root /no/such does not exist"),
        (("--entry-script", "{script}", "--source-dir", "/no/such"), "The source folder /no/such does not exist"),
        (("--entry-script", "{script}", "--script-python", "/no/such"), "/no/such, is not there or cannot be run"),
    ],
    ids=["script", "model", "root", "source", "python"],
)
def test_what_is_not_there_is_3_and_named(folder: Path, flags: tuple[str, ...], words: str) -> None:
    done = run_server(*(flag.format(script=folder / "score.py") for flag in flags), "--port", "0")
    assert done.returncode == 3
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_for_a_script_without_one_is_bad_usage(folder: Path) -> None:
    done = run_server("--model", folder, "--model-dir", folder / "model")
    assert done.returncode == 2
    assert "no script is given. Add --entry-script FILE, or serve the folder by --model" in done.stderr


def test_check_runs_init_once_and_says_so(folder: Path) -> None:
    done = run_server("--entry-script", folder / "score.py", "--model-dir", folder / "model", "--check")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("init() finds ['model.json']") == 1
    report = done.stdout.partition("\nscript\n")[2]
    for part in ("init() once   well", str(folder / "score.py"), "the body as text", str(folder / "model")):
        assert part in report
    done = run_server("--entry-script", folder / "parameters.py", "--check")
    assert "the values of a JSON object: data, scale" in done.stdout


def test_check_refuses_like_the_server(broken: Path) -> None:
    done = run_server("--entry-script", broken, "--check")
    assert done.returncode == 3
    assert "cannot be hosted: it raised OSError" in done.stderr
    assert f'File "{broken}", line 2, in init' in done.stderr


@contract(
    "Scoring scripts", "AZUREML_ENTRY_SCRIPT, AZUREML_MODEL_DIR, AML_APP_ROOT, AZUREML_SOURCE_DIRECTORY, WORKER_COUNT"
)
def test_the_hosted_variables_name_the_script_and_all_that_belongs_to_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "own_package.py").write_text("NAME = 'own'")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text(
        "import os, own_package\ndef init(): pass\n"
        "def run(data): return [own_package.NAME, os.getcwd(), dict(os.environ)]"
    )
    env = {
        "AML_APP_ROOT": str(tmp_path),
        "AZUREML_ENTRY_SCRIPT": "code/main.py",
        "AZUREML_SOURCE_DIRECTORY": "more",
        "AZUREML_MODEL_DIR": str(folder / "model"),
        "WORKER_COUNT": "2",
        "SCORING_TIMEOUT_MS": "5000",
    }
    with LiveServer(env=env) as server:
        assert "workers=2" in server.log()
        name, place, environment = http.post(server.url + "/score", content="x").json()
    assert (name, place) == ("own", str(tmp_path))
    assert environment["AZUREML_ENTRY_SCRIPT"] == str(tmp_path / "code/main.py")
    assert environment["AZUREML_SOURCE_DIRECTORY"] == str(tmp_path / "more")
    assert environment["AZUREML_MODEL_DIR"] == str(folder / "model")


def test_a_script_runs_in_a_python_of_its_own(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (site / "only_there.py").write_text("ANSWER = 42")
    (tmp_path / "score.py").write_text(
        "import only_there\ndef init(): pass\ndef run(data):\n"
        "    try:\n        import pydantic\n    except ImportError:\n        return only_there.ANSWER\n"
    )
    flags = ("--entry-script", tmp_path / "score.py", "--script-python", tmp_path / "venv/bin/python")
    with LiveServer(*flags) as server:
        assert http.post(server.url + "/score", content="x").json() == 42


def test_the_key_of_the_server_is_hidden_from_the_script(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("the-key\n")
    key = {"authorization": "Bearer the-key"}
    with LiveServer("--entry-script", folder / "headers.py", "--keys-file", tmp_path / "keys") as server:
        url = server.url + "/score"
        for method in ("GET", "POST", "OPTIONS"):
            assert http.request(method, url).status_code == (200 if method == "OPTIONS" else 401)
            assert http.request(method, url, headers=key).status_code == 200
        assert "Authorization" not in http.post(url, content="x", headers=key).json()["headers"]


def test_processes_started_by_multiprocessing_find_the_script_and_its_imports(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(
        "import multiprocessing\n"
        "from azureml.contrib.services.aml_response import AMLResponse\n"
        "def square(number): return number * number\n"
        "def init(): pass\n"
        "def run(data):\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(square, [1, 2, 3])\n"
    )
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    with LiveServer("--entry-script", tmp_path / "score.py", env=env) as server:
        assert http.post(server.url + "/score", content="x").json() == [1, 4, 9]
