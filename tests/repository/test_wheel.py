"""The wheel that `uv tool install .` and `pipx install .` make: whole, and at home in a folder with modules of ours."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from server.scripts.runner.own_modules import NAMES
from tests.support import http
from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NO_PATH = {"PYTHONPATH": ""}
# replies which modules of our names the script imports; two are its own
SCRIPT = """
import numpy, models, settings
def init(): pass
def run(data):
    try:
        import server
    except ModuleNotFoundError as error:
        return [str(numpy.add(1, 2)), settings.WHOSE, sorted(map(str, models.__path__)), error.name]
"""


def tracked(*folders: str) -> list[str]:
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", *folders], cwd=ROOT, text=True)
    return [line for line in listed.splitlines() if (ROOT / line).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for file in tracked(*NAMES, "pyproject.toml", "README.md", "LICENSE"):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, source / file)
    words = ["-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(built), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *words], check=True, env={"PATH": "/usr/bin:/bin"})
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `sightglass`, installed into an environment that sees the packages of this one."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", "--ignore-installed", str(wheel)], check=True)
    return environment / "bin/sightglass"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a user, with modules that have the names of ours."""
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a module of the user is imported')\n")
    return tmp_path


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = [name for name in archive.namelist() if ".dist-info/" not in name]
        metadata = archive.read(f"sightglass-{PROJECT['version']}.dist-info/METADATA").decode()
        (top_levels,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("top_level.txt"))
    assert sorted(files) == sorted(tracked(*NAMES))
    assert any(name.endswith("swagger-ui-bundle.js") for name in files)
    assert sorted(top_levels.split()) == sorted(NAMES)
    for field in ("Author: ", "License-Expression: Apache-2.0", "License-File: LICENSE", "Requires-Python: >=3.11"):
        assert f"\n{field}" in metadata
    assert "\nClassifier: Operating System :: POSIX :: Linux\n" in metadata
    assert "# Sightglass\n" in metadata, "the README"


def test_every_extra_for_users_is_in_the_docs() -> None:
    page = (ROOT / "docs/command.md").read_text()
    assert [name for name in PROJECT["optional-dependencies"] if name != "dev" and f"| `{name}` |" not in page] == []


def test_the_command_answers_outside_the_repository(command: Path, folder: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([command, *words], cwd=folder, env={}, capture_output=True, text=True, check=False)

    assert run("--version").stdout == run("serve", "--version").stdout == f"sightglass {PROJECT['version']}\n"
    assert "usage: sightglass serve" in run("serve", "--help").stdout
    assert "usage: sightglass models" in run("models", "--help").stdout
    for name in ("data", "training"):
        assert f"usage: python -m {name}" in run(name, "--help").stdout
    done = run("check", "--model", "nowhere")
    assert (done.returncode, done.stderr.startswith("error: The model folder nowhere does not exist.")) == (3, True)


def test_it_serves_a_model_in_a_folder_with_modules_of_our_names(
    command: Path, folder: Path, fridge_folder: Path
) -> None:
    with LiveServer("--model", fridge_folder, command=[str(command), "serve"], env=NO_PATH, cwd=folder) as server:
        assert server.score([encoded(painted(1, 90, 70), "JPEG")]).status_code == 200
        assert server.probe("/docs/swagger-ui-bundle.js") == 200


def test_a_script_gets_its_own_modules_and_the_installed_packages(command: Path, tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    (tmp_path / "settings.py").write_text("WHOSE = 'of the script'\n")
    (tmp_path / "models").mkdir()  # a plain folder, which any package of this name would hide
    words = [str(command), "serve"]
    with LiveServer("--entry-script", "score.py", command=words, env=NO_PATH, cwd=tmp_path) as server:
        reply = http.post(server.url + "/score", content="{}").json()
    assert reply == ["3", "of the script", [str(tmp_path / "models")], "server"]
