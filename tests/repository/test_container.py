"""Replays what the Dockerfile copies and runs on a clean folder, and starts what comes out."""

import base64
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.support import http
from tests.support.container_image import ContainerImage, replay
from tests.support.images import encoded, painted
from tests.support.repository import ROOT
from tests.support.servers.live_server import LiveServer


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ContainerImage:
    app = tmp_path_factory.mktemp("container") / "app"
    # an environment that sees the packages of this one, so that installing only has to find them satisfied
    subprocess.run([sys.executable, "-m", "venv", app / ".venv"], check=True)
    (site,) = (app / ".venv/lib").glob("python*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return replay(app)


def test_the_image_serves_a_model_and_knows_its_health(image: ContainerImage, fridge_folder: Path) -> None:
    env = {name: value.replace("/app", str(image.app)) for name, value in image.env.items()}
    env |= {"AZUREML_MODEL_DIR": str(fridge_folder), "SIGHTGLASS_DEVICE": "cpu", "SIGHTGLASS_HOST": "127.0.0.1"}
    env["SIGHTGLASS_CACHE_FOLDER"] = str(image.app.parent / "cache/sightglass")
    env["PATH"] = f"{image.app}/.venv/bin:{os.environ['PATH']}"
    with LiveServer(command=image.entrypoint, env=env, cwd=image.app) as server:
        assert server.score([encoded(painted(1, 90, 70), "JPEG")]).status_code == 200
        health = os.environ | env | {"SIGHTGLASS_PORT": server.url.rsplit(":", 1)[1]}
        assert subprocess.run(image.health, env=health, check=False).returncode == 0
    assert subprocess.run(image.health, env=health, check=False, capture_output=True).returncode != 0


def test_the_image_holds_the_product_and_nothing_else(image: ContainerImage) -> None:
    assert {entry.name for entry in image.app.iterdir()} == {".venv", "settings", "models", "explain", "server"}
    assert image.user == "10001"
    assert "apt-get" not in (ROOT / "Dockerfile").read_text(), "no build tools"


def test_the_runtime_of_kserve_serves_by_the_name_of_its_service(
    image: ContainerImage, fridge_folder: Path, tmp_path: Path
) -> None:
    runtime = yaml.safe_load((ROOT / "deploy/kubernetes/serving-runtime.yaml").read_text())
    (container,) = runtime["spec"]["containers"]
    env = image.env | {variable["name"]: variable["value"] for variable in container["env"]}
    assert env["SIGHTGLASS_MODEL"] == "/mnt/models"
    env |= {
        "SIGHTGLASS_MODEL": str(fridge_folder),
        "SIGHTGLASS_DEVICE": "cpu",
        "SIGHTGLASS_CACHE_FOLDER": str(tmp_path / "cache"),
    }
    env = {name: value.replace("/app", str(image.app)) for name, value in env.items()}
    env["PATH"] = f"{image.app}/.venv/bin:{os.environ['PATH']}"
    words = [word.replace("{{.Name}}", "my-fridge") for word in container["args"]]
    with LiveServer(*words, command=image.entrypoint, env=env, cwd=image.app) as server:
        assert server.probe("/v2/models/my-fridge/ready") == 200
        image_bytes = base64.b64encode(encoded(painted(1, 90, 70), "JPEG")).decode()
        body = {"instances": [{"image_bytes": {"b64": image_bytes}}]}
        reply = http.post(server.url + "/v1/models/my-fridge:predict", json=body)
        assert len(reply.raise_for_status().json()["predictions"]) == 1
