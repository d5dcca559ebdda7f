"""Folders of transformers on the real server: a classifier that scores and explains, a detector that tiles."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.detector import Detector
from models.loaded import load
from tests.support import http
from tests.support.detections import assert_alike, predicted
from tests.support.folders.checkpoints import LABELS, write_json
from tests.support.folders.transformers_folders import Reference, save
from tests.support.images import encoded, painted
from tests.support.servers.live_server import LiveServer, run_server

IMAGES = [encoded(painted(seed, 120 + seed, 90), "JPEG") for seed in range(4)]
NUMBERS = {"visualizations": False, "attributions": True, "attributions_format": "npy_base64"}


def post(server: LiveServer, *cells: Any, **more: Any) -> httpx.Response:
    body = {"input_data": {"columns": ["image"], "data": list(cells)}} | more
    return http.post(server.url + "/score", json=body, timeout=300)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def why(data: bytes, **parameters: Any) -> dict[str, Any]:
    return {"image_base64": text(data), "model_explainability": True, "xai_parameters": parameters}


def test_a_classifier_scores_and_explains(tmp_path: Path) -> None:
    """One server for all of it, as each start takes seconds."""
    name = "Swinv2ForImageClassification"
    folder = save(tmp_path / "m", name)
    library = Reference(folder, name)
    with LiveServer("--model", folder, "--queue-limit-ms", "600000", "--request-timeout-ms", "300000") as server:
        plain = post(server, *map(text, IMAGES)).json()
        for row, data in zip(plain, IMAGES, strict=True):
            assert row["labels"] == list(LABELS)
            assert row["probs"] == pytest.approx(library.outputs(data).logits[0].softmax(0).tolist(), abs=1e-5)
        assert len({round(row["probs"][0], 4) for row in plain}) == len(IMAGES)

        cells = [
            why(IMAGES[number % 4], xai_algorithm=algorithm, n_steps=6, **NUMBERS)
            for number, algorithm in enumerate(["xrai", "gradcam", "integrated_gradients", "guided_gradcam"] * 2)
        ]
        with ThreadPoolExecutor(len(cells)) as pool:
            together = list(pool.map(lambda one: post(server, one).json()[0], cells))
        for one, found in zip(cells, together, strict=True):
            (alone,) = post(server, one).json()
            assert alone["attributions"] == found["attributions"], "the same bits among others as alone"
            assert alone["explanations"][0]["target"] == int(np.argmax(alone["probs"]))

        (drawn,) = post(server, why(IMAGES[0], xai_algorithm="xrai")).json()
        assert Image.open(io.BytesIO(base64.b64decode(drawn["visualizations"]))).size[0] == 1200
        (guided,) = post(server, why(IMAGES[0], xai_algorithm="guided_backprop", **NUMBERS)).json()
        assert guided["explanations"][0]["notes"] == ["This network has no ReLU to guide: these are plain gradients."]


def test_a_detector_finds_boxes_in_images_and_tiles(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "DeformableDetrForObjectDetection")
    write_json(folder / "settings.json", {"box_score_thresh": 0.6})
    model, library = load(folder), Reference(folder, "DeformableDetrForObjectDetection")
    assert isinstance(model, Detector)

    def objects(row: dict[str, Any]) -> list[tuple[str, float, list[float]]]:
        return [(one["label"], one["score"], list(one["box"].values())) for one in row["boxes"]]

    with LiveServer("--model", folder) as server:
        for row, data in zip(post(server, *map(text, IMAGES)).json(), IMAGES, strict=True):
            assert_alike(objects(row), library.boxes(data, 0.6))
            assert row["boxes"]
        options = {"tile_grid_size": [2, 2], "box_score_thresh": 0.9, "box_detections_per_img": 20}
        tiled = post(server, *map(text, IMAGES), inference_parameters=options).json()
        for row, data in zip(tiled, IMAGES, strict=True):
            assert_alike(objects(row), predicted(model, data, **options))
        assert any(row["boxes"] for row in tiled)
        refused = post(server, text(IMAGES[0]), inference_parameters={"min_size": 100})
        assert (refused.status_code, refused.json()["code"]) == (422, "inference_parameters_invalid")
        (explained,) = post(server, why(IMAGES[0])).json()
        assert len(explained["explanations"]) == len(explained["boxes"][:1])


def test_a_folder_that_cannot_be_served_ends_the_start(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "ViTForImageClassification")
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", config | {"model_type": "vitt"})
    done = run_server("--model", folder, "--check")
    assert done.returncode == 3
    assert "the installed transformers knows no model_type 'vitt'. Did you mean 'vit'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
