"""Compose, the manifests of Kubernetes and the unit of systemd agree with the image, the settings and each other."""

import configparser
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.service import BAD_USAGE, service_parser
from server.supervisor.child import CANNOT_SERVE
from settings.server import ServerSettings
from tests.support.container_image import image_environment, image_user, instructions
from tests.support.repository import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
HOST = "registry.example.com/vision/sightglass"


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


def documents(name: str = "sightglass.yaml") -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text()))


def deployed_container() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the container of the Deployment and its pod."""
    pod = documents()[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return container, pod


def test_manifests_agree_with_the_image() -> None:
    assert [each["kind"] for each in documents()] == ["Deployment", "Service", "PodDisruptionBudget"]
    container, pod = deployed_container()
    port = int(image_environment()["SIGHTGLASS_PORT"])
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    probes = {"startupProbe": "/health/ready", "readinessProbe": "/health/ready", "livenessProbe": "/health/live"}
    assert {name: container[name]["httpGet"]["path"] for name in probes} == probes
    assert str(pod["securityContext"]["runAsUser"]) == image_user()
    (tmp,) = (volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "tmp")
    assert "sizeLimit" in tmp
    assert pod["automountServiceAccountToken"] is False
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert compose_service()["volumes"][0] == f"${{MODEL:-./demo/fridge}}:{image_environment()['AZUREML_MODEL_DIR']}:ro"


def test_the_cache_lies_on_a_volume_in_a_folder_of_its_own() -> None:
    """A volume of Kubernetes can be written to by all users, so that the cache refuses it, but not a folder in it."""
    cache = Path(image_environment()["SIGHTGLASS_CACHE_FOLDER"])
    container, pod = deployed_container()
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
    assert 1000 * int(service["TimeoutStartSec"]) > settings.start_timeout_ms
    assert service["RestartPreventExitStatus"].split() == [str(BAD_USAGE), str(CANNOT_SERVE)]
    command, *words = service["ExecStart"].split()
    assert Path(command).name == "sightglass"
    assert service_parser("").parse_args(words[1:]).model


@pytest.mark.parametrize("name", sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("deploy/**/*.*")))
def test_every_file_is_explained_in_the_docs(name: str) -> None:
    pages = [(page, page.read_text()) for page in (ROOT / "deploy/README.md", *ROOT.glob("docs/*.md"))]
    assert name == "deploy/README.md" or any(Path(name).name in text for _, text in pages)


def test_the_image_is_one_that_a_cluster_can_pull() -> None:
    container, _ = deployed_container()
    (base,), (gpu,) = (documents(name)[0]["images"] for name in ("kustomization.yaml", "gpu/kustomization.yaml"))
    assert container["image"].partition(":")[0] == base["name"]
    assert (base["newName"], base["newTag"]) == (HOST, "cpu")
    assert (gpu["name"], gpu["newTag"]) == (HOST, "cuda"), "which finds what the base made of it"
    assert documents("serving-runtime.yaml")[0]["spec"]["containers"][0]["image"] == f"{HOST}:cpu"


def test_the_gpu_variant_changes_what_is_there() -> None:
    (patch,) = documents("gpu/sightglass-gpu.yaml")
    deployment = documents()[0]
    assert all(patch[key] == deployment[key] for key in ("apiVersion", "kind"))
    assert patch["metadata"]["name"] == deployment["metadata"]["name"]
    (changed,), (container,) = (each["spec"]["template"]["spec"]["containers"] for each in (patch, deployment))
    assert changed["name"] == container["name"]
    assert changed["resources"].keys() == container["resources"].keys()
    assert changed["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert patch["spec"]["strategy"]["rollingUpdate"].keys() == deployment["spec"]["strategy"]["rollingUpdate"].keys()


def test_what_stands_beside_the_deployment_fits_to_it() -> None:
    deployment, service, _ = documents()
    pod = deployment["spec"]["template"]
    port = service["spec"]["ports"][0]["name"]
    (claim,), (ingress,), (monitor,) = map(documents, ("model-claim.yaml", "ingress.yaml", "pod-monitor.yaml"))
    named = [each["persistentVolumeClaim"] for each in pod["spec"]["volumes"] if each["name"] == "model"]
    assert named == [{"claimName": claim["metadata"]["name"], "readOnly": True}]
    assert deployment["spec"]["replicas"] > 1 and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port}}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in [
        each["name"] for each in pod["spec"]["containers"][0]["ports"]
    ]


def test_the_ingress_takes_what_the_server_takes() -> None:
    annotations = documents("ingress.yaml")[0]["metadata"]["annotations"]
    given = {name.rpartition("/")[2]: value for name, value in annotations.items()}
    settings = ServerSettings()
    assert int(given["proxy-body-size"].removesuffix("m")) * 2**20 == settings.max_body_bytes
    assert 1000 * int(given["proxy-read-timeout"]) > settings.request_timeout_ms


def test_the_serving_runtime_is_as_bounded_as_the_deployment() -> None:
    (runtime,) = documents("serving-runtime.yaml")
    (served,) = runtime["spec"]["containers"]
    container, pod = deployed_container()
    of_pod = {key: pod["securityContext"][key] for key in ("runAsNonRoot", "runAsUser", "seccompProfile")}
    assert served["securityContext"] == container["securityContext"] | of_pod
    assert served["resources"] == container["resources"]
    assert served["volumeMounts"] == [each for each in container["volumeMounts"] if each["name"] in ("tmp", "cache")]
    assert runtime["spec"]["volumes"] == [each for each in pod["volumes"] if each["name"] in ("tmp", "cache")]
    port = served["ports"][0]["containerPort"]
    assert {"name": "SIGHTGLASS_PORT", "value": str(port)} in served["env"]
    for probe in ("readinessProbe", "livenessProbe"):
        assert served[probe]["httpGet"] == {"path": container[probe]["httpGet"]["path"], "port": port}
