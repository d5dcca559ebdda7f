"""A classifier of transformers, from its folder to a folder that the library and the server load."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, ViTConfig, ViTImageProcessor
from transformers import ViTForImageClassification as Network

from models.images.decoding import ImageLimits
from models.loaded import load
from tests.support.training.command import run_training, write_coloured_job


def _write_model(folder: Path) -> None:
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    config.id2label, config.label2id = {0: "red", 1: "violet"}, {"red": 0, "violet": 1}
    Network(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def test_a_folder_of_transformers_is_trained_with_other_labels(tmp_path: Path) -> None:
    _write_model(tmp_path / "vit")
    write_coloured_job(tmp_path, model_name="vit", optimizer="adamw", learning_rate=0.01, number_of_epochs=4)
    job = (tmp_path / "colours.yml").read_text()
    sizes = ("train_crop_size", "valid_crop_size", "valid_resize_size")
    (tmp_path / "colours.yml").write_text(
        "".join(line for line in job.splitlines(keepends=True) if not line.strip().startswith(sizes))
    )
    done = run_training(tmp_path, "run", "colours.yml")
    assert done.returncode == 0, done.stderr
    assert "the head for red" in done.stderr
    run = tmp_path / "runs" / "colours"
    predictions = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    library: Any = AutoModelForImageClassification.from_pretrained(run / "outputs")
    processor: Any = AutoImageProcessor.from_pretrained(run / "outputs")
    assert library.config.id2label == {0: "blue", 1: "green", 2: "red"}
    model: Any = load(run / "outputs")
    for one in predictions[:4]:
        file = tmp_path / one["image_url"]
        pixels = processor(np.array(Image.open(file).convert("RGB")), return_tensors="pt")
        with torch.no_grad():
            expected = library(**pixels).logits.softmax(1)[0].tolist()
        assert one["probs"] == pytest.approx(expected, abs=1e-4)
        image = model.read(file.read_bytes(), ImageLimits(2**20, 2**20), model.settings({}))
        scores = model.combine(image, model.outputs([each.data for each in image.inputs]))
        assert list(scores.probs) == pytest.approx(one["probs"], abs=1e-6)
