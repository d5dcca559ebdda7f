"""A run of each family of networks, trained for two steps on tiny images as a person trains them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from data.dataset import CheckedImage
from data.format import PlacedImage
from data.json_lines.writing import write_lines
from models.folder.manifest import TaskName
from tests.support.training.coloured_images import coloured_images
from tests.support.training.command import SIZES, write_job
from tests.training.detection.scenes import FEW_REGIONS, SMALL_YOLO, write_scene
from training.__main__ import main

Family = tuple[str, str, dict[str, Any]]  # a task, a folder of images, hyperparameters

# Heads that have learned next to nothing find objects of low scores alone
_OBJECTS = {"min_size": 32, "max_size": 80, "box_score_thresh": 0.001, "box_detections_per_img": 12}
_REGIONS = _OBJECTS | FEW_REGIONS
FAMILIES: dict[str, Family] = {
    "multiclass": ("image_classification", "colours", {"model_name": "resnet18", **SIZES}),
    "multilabel": ("image_classification_multilabel", "colour_lists", {"model_name": "mobilenetv2", **SIZES}),
    "transformers": ("image_classification", "colours", {"model_name": "vit"}),
    "faster_rcnn": ("image_object_detection", "scenes", {"model_name": "fasterrcnn_resnet18_fpn", **_REGIONS}),
    "retinanet": ("image_object_detection", "scenes", {"model_name": "retinanet_resnet50_fpn", **_OBJECTS}),
    "mask_rcnn": ("image_instance_segmentation", "scenes", {"model_name": "maskrcnn_resnet18_fpn", **_REGIONS}),
    "yolov5": ("image_object_detection", "scenes", {"model_name": "yolov5", **SMALL_YOLO, "box_score_thresh": 0.003}),
}


def write_vit(folder: Path) -> None:
    """Save a tiny transformer as its library does, with other labels than those it will learn."""
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    config.id2label, config.label2id = {0: "red", 1: "violet"}, {"red": 0, "violet": 1}
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def train_families(folder: Path) -> None:
    """Train each of FAMILIES: `folder`/runs/NAME."""
    write_vit(folder / "vit")
    _write(folder / "colours", coloured_images(folder / "colours", 7), "multiclass")
    _write(folder / "colour_lists", coloured_images(folder / "colour_lists", 7), "multilabel")
    scenes = folder / "scenes"
    scenes.mkdir()
    sizes = [(96, 64), (96, 64), (64, 96), (96, 64), (96, 64), (64, 96)]
    drawn = [write_scene(scenes, seed, size, objects=seed % 3) for seed, size in enumerate(sizes)]
    _write(scenes, drawn, "segmentation")
    for name, (task, images, given) in FAMILIES.items():
        usual = {"number_of_epochs": 1, "training_batch_size": 2, "learning_rate": 0.001, "precision": "fp32"}
        parameters = {**usual, **given}
        if name == "transformers":
            parameters["model_name"] = str(folder / given["model_name"])
        held_out = {"validation_data": {"path": f"{images}/valid.jsonl"}}
        job = write_job(folder / f"{name}.yml", task, f"{images}/train.jsonl", parameters, name=name, **held_out)
        assert main(["run", str(job), "--runs", str(folder / "runs"), "--device", "cpu"]) == 0


def predictions(run: Path) -> list[dict[str, Any]]:
    """Return what a trainer has kept of its validation images."""
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def _write(folder: Path, images: Sequence[CheckedImage], task: TaskName) -> None:
    """Write a JSONL of the first four images to train on, and one of the others to evaluate with."""
    for name, part in (("train.jsonl", images[:4]), ("valid.jsonl", images[4:])):
        with (folder / name).open("wb") as stream:
            write_lines((PlacedImage(each.image) for each in part), task, stream)
