"""Replays what the Dockerfile copies and runs on a clean folder, and starts what comes out."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.service import BAD_USAGE, service_parser
from server.supervisor.child import CANNOT_SERVE
from settings.server import ServerSettings
from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer


@dataclass
class Image:
    """The last stage of the Dockerfile, replayed below `app`, which stands for /app."""

    app: Path
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = "root"


def instructions() -> Iterator[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest


def allowed_by_dockerignore(path: Path) -> bool:
    allowed = True
    parts = [str(part) for part in (path, *path.parents)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern, keeps = line.strip().removeprefix("!").removeprefix("/"), line.startswith("!")
        names = path.parts if pattern.startswith("**/") else parts
        if pattern and not pattern.startswith("#"):
            matches = any(fnmatch(name, pattern.removeprefix("**/")) for name in names)
            allowed = keeps if matches else allowed
    return allowed


def copy_from_context(sources: list[str], app: Path, target: str) -> None:
    tracked = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True)
    context = [Path(line) for line in tracked.splitlines() if allowed_by_dockerignore(Path(line))]
    for source in sources:
        files = [file for file in context if file == Path(source) or Path(source) in file.parents]
        assert files, f"COPY {source}: the build context does not hold it"
        for file in files:
            inside = file.relative_to(source) if file != Path(source) else Path(file.name if target == "./" else "")
            place = app / target / inside
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, place)


def replay(app: Path) -> Image:
    image = Image(app)
    for word, rest in instructions():
        if word == "FROM":  # the venv is all that one stage takes over from the other
            for entry in app.iterdir():
                if entry.name != ".venv":
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            image.env.clear()
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            copy_from_context(sources, app, target)
        elif word == "RUN" and not rest.startswith("useradd"):
            command = rest.replace("/app", str(app))
            subprocess.run(command, shell=True, check=True, cwd=app, env=os.environ | {"TORCH_INDEX": ""})
        elif word == "ENV":
            image.env |= dict(re.findall(r"(\w+)=(\S+)", rest))
        elif word == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        elif word == "USER":
            image.user = rest
    return image


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    app = tmp_path_factory.mktemp("container") / "app"
    # an environment that sees the packages of this one, so that installing only has to find them satisfied
    subprocess.run([sys.executable, "-m", "venv", app / ".venv"], check=True)
    (site,) = (app / ".venv/lib").glob("python*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return replay(app)


def test_the_image_serves_a_model_and_knows_its_health(image: Image, fridge_folder: Path) -> None:
    env = {name: value.replace("/app", str(image.app)) for name, value in image.env.items()}
    env |= {"AZUREML_MODEL_DIR": str(fridge_folder), "SIGHTGLASS_DEVICE": "cpu", "SIGHTGLASS_HOST": "127.0.0.1"}
    env["SIGHTGLASS_CACHE_FOLDER"] = str(image.app.parent / "cache/sightglass")
    env["PATH"] = f"{image.app}/.venv/bin:{os.environ['PATH']}"
    with LiveServer(command=image.entrypoint, env=env, cwd=image.app) as server:
        assert server.score([encoded(painted(1, 90, 70), "JPEG")]).status_code == 200
        health = os.environ | env | {"SIGHTGLASS_PORT": server.url.rsplit(":", 1)[1]}
        assert subprocess.run(image.health, env=health, check=False).returncode == 0
    assert subprocess.run(image.health, env=health, check=False, capture_output=True).returncode != 0


def test_the_image_holds_the_product_and_nothing_else(image: Image) -> None:
    assert {entry.name for entry in image.app.iterdir()} == {".venv", "settings", "models", "explain", "server"}
    assert image.user == "10001"
    assert "apt-get" not in (ROOT / "Dockerfile").read_text(), "no build tools"


def compose_service() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["sightglass"]
    return service


def test_compose_is_bounded_and_not_open_to_other_machines() -> None:
    service = compose_service()
    assert service["ports"] == ["${BIND:-127.0.0.1}:${PORT:-5001}:5001"]
    assert service["init"] is True
    assert {"mem_limit", "pids_limit", "cpus"} <= service.keys()
    assert [mount.startswith("/tmp:size=") for mount in service["tmpfs"]] == [True]


def test_one_argument_names_the_base_of_both_stages() -> None:
    stages = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert stages == ["${BASE}"] * 2
    (default,) = (rest.partition("=")[2] for word, rest in instructions() if word == "ARG" and rest.startswith("BASE="))
    assert compose_service()["build"]["args"]["BASE"] == f"${{BASE:-{default}}}"


def kubernetes_documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy/kubernetes/sightglass.yaml").read_text()))


def kubernetes_container() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the container of the Deployment and its pod."""
    pod = kubernetes_documents()[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return container, pod


def test_manifests_agree_with_the_image(image: Image) -> None:
    assert [each["kind"] for each in kubernetes_documents()] == ["Deployment", "Service", "PodDisruptionBudget"]
    container, pod = kubernetes_container()
    port = int(image.env["SIGHTGLASS_PORT"])
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    probes = {"startupProbe": "/health/ready", "readinessProbe": "/health/ready", "livenessProbe": "/health/live"}
    assert {name: container[name]["httpGet"]["path"] for name in probes} == probes
    assert str(pod["securityContext"]["runAsUser"]) == image.user
    (tmp,) = (volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "tmp")
    assert "sizeLimit" in tmp
    assert pod["automountServiceAccountToken"] is False
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert compose_service()["volumes"][0] == f"${{MODEL:-./demo/fridge}}:{image.env['AZUREML_MODEL_DIR']}:ro"


def test_the_cache_lies_on_a_volume_in_a_folder_of_its_own(image: Image) -> None:
    """A volume of Kubernetes can be written to by all users, so that the cache refuses it, but not a folder in it."""
    cache = Path(image.env["SIGHTGLASS_CACHE_FOLDER"])
    container, pod = kubernetes_container()
    (volume,) = (mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == str(cache.parent))
    assert [each["emptyDir"] for each in pod["volumes"] if each["name"] == volume] == [{"sizeLimit": "2Gi"}]
    assert compose_service()["volumes"][1:] == [f"{volume}:{cache.parent}"]
    assert yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"] == {volume: None}
    (owned,) = (rest for word, rest in instructions() if word == "RUN" and "useradd" in rest)
    assert owned.endswith(f"install -d -m 700 -o sightglass {cache.parent}"), "which Docker gives to a new volume"


def test_the_unit_for_systemd_gives_requests_the_time_to_end() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy/sightglass.service")
    service = unit["Service"]
    settings = ServerSettings()
    assert 1000 * int(service["TimeoutStopSec"]) > settings.drain_delay_ms + settings.grace_period_ms
    assert service["RestartPreventExitStatus"].split() == [str(BAD_USAGE), str(CANNOT_SERVE)]
    command, *words = service["ExecStart"].split()
    assert Path(command).name == "sightglass"
    assert service_parser("").parse_args(words[1:]).model
