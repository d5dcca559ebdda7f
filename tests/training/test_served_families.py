"""A network of each family, from a job to a server, which replies over HTTP what its trainer predicted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from tests.support import http
from tests.support.folders.checkpoints import write_json
from tests.support.folders.detector_folders import assert_alike
from tests.support.servers.live_server import LiveServer
from tests.training.families import FAMILIES, predictions, train_families


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    train_families(folder)
    return folder


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[LiveServer]:
    """One server with a deployment for each run."""
    plan = {"deployments": {name: {"model": f"runs/{name}/outputs"} for name in FAMILIES}, "traffic": {"yolov5": 100}}
    file, one = write_json(site / "plan.json", plan), {"SIGHTGLASS_MAX_BATCH_IMAGES": "1"}
    with LiveServer("--deployments", file, env=one, ready_within_s=180) as running:
        running.wait_for(lambda: all(running.probe(f"/v2/models/{name}/ready") == 200 for name in FAMILIES), 180)
        yield running


@pytest.mark.parametrize("name", FAMILIES)
def test_a_server_replies_what_the_trainer_predicted(site: Path, server: LiveServer, name: str) -> None:
    kept = predictions(site / "runs" / name)
    assert len(kept) in (2, 3)
    objects = 0
    for expected in kept:
        image = (site / FAMILIES[name][1] / expected["image_url"]).read_bytes()
        headers = {"content-type": "image/png", "azureml-model-deployment": name}
        reply = http.post(server.url + "/score", content=image, headers=headers, timeout=60)
        assert reply.status_code == 200, reply.text
        said = reply.json()
        if "boxes" in expected:
            assert_alike(said["boxes"], expected["boxes"], 1e-6)
            objects += len(said["boxes"])
        else:
            assert said["labels"] == expected["labels"] == ["blue", "green", "red"]
            assert said["probs"] == pytest.approx(expected["probs"], abs=1e-6)
    assert objects > 3 or "boxes" not in kept[0]


def test_each_run_took_two_steps_and_says_where_it_started(site: Path) -> None:
    for name in FAMILIES:
        described = json.loads((site / "runs" / name / "run.json").read_text())
        assert described["data"]["training"]["images"] == 2 * described["hyperparameters"]["training_batch_size"]
        assert (described["started_from"] == "random weights") == (name != "transformers")


def test_transformers_loads_what_was_trained_with_other_labels(site: Path) -> None:
    run = site / "runs" / "transformers"
    assert "the head for red" in (run / "log.txt").read_text()
    library: Any = AutoModelForImageClassification.from_pretrained(run / "outputs")
    processor: Any = AutoImageProcessor.from_pretrained(run / "outputs")
    assert library.config.id2label == {0: "blue", 1: "green", 2: "red"}
    for one in predictions(run):
        image = np.array(Image.open(site / "colours" / one["image_url"]).convert("RGB"))
        with torch.no_grad():
            scores = library(**processor(image, return_tensors="pt")).logits.softmax(1)[0].tolist()
        assert one["probs"] == pytest.approx(scores, abs=1e-4)
