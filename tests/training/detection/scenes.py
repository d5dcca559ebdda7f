"""Tiny drawn scenes with known boxes and masks, and what a recipe of a detector is built from."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from data.dataset import CheckedImage
from data.outlines import box_of_runs, hull, rasterised, run_lengths
from data.progress import ProgressReport
from data.record import LabelledImage, LabelledObject, Outline
from models.labels import Label
from training.hyperparameters.detection import (
    DetectionHyperparameters,
    RetinaNetHyperparameters,
    SegmentationHyperparameters,
)
from training.hyperparameters.yolo import YoloHyperparameters
from training.recipe import StepPlan, TrainingSetup

LABELS: tuple[Label, ...] = ("can", "carton")
_GROUND, _COLOURS = (40, 60, 80), ((250, 20, 30), (20, 240, 30))
SMALL: dict[str, Any] = {"min_size": 48, "max_size": 80, "box_score_thresh": 0.1}
FEW_REGIONS: dict[str, Any] = {"regions_per_image": 16}
SMALL_YOLO: dict[str, Any] = {"img_size": 64, "model_size": "small"}
_FAMILIES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "fasterrcnn": (DetectionHyperparameters, SMALL | FEW_REGIONS),
    "retinanet": (RetinaNetHyperparameters, SMALL),
    "maskrcnn": (SegmentationHyperparameters, SMALL | FEW_REGIONS),
    "yolov5": (YoloHyperparameters, SMALL_YOLO),
}


def star(rng: np.random.Generator, middle: tuple[float, float], radius: float, size: tuple[int, int]) -> Outline:
    """An outline around a place, in shares of an image of (width, height), with one part that reaches far."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * radius * rng.uniform(0.5, 1, (9, 1))
    return tuple(((points + middle) / size).clip(0, 1).ravel().tolist())


def write_scene(
    folder: Path,
    seed: int,
    size: tuple[int, int] = (96, 64),
    objects: int = 2,
    *,
    crowd: bool = False,
    pixels: bool = False,
) -> CheckedImage:
    """Draw an image of (width, height) on a plain ground, with objects in the colour of their label.

    With `pixels`, every other object has a mask instead of an outline.
    """
    rng = np.random.default_rng(seed)
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = _GROUND
    marked = []
    for number in range(objects):
        middle = ((number + 0.5) * size[0] / objects, size[1] * rng.uniform(0.4, 0.6))
        outline = star(rng, middle, 0.45 * size[0] / max(objects, 2), size)
        mask = rasterised([outline], size[::-1])
        image[mask] = _COLOURS[number % 2]
        runs = run_lengths(mask) if pixels and number % 2 else None
        box = (runs and box_of_runs(runs)) or hull([outline])
        marked.append(LabelledObject(LABELS[number % 2], box, () if runs else (outline,), runs, crowd and not number))
    file = folder / f"{seed}.png"
    Image.fromarray(image).save(file)
    record = LabelledImage(file.name, seed, objects=tuple(marked))
    return CheckedImage(record, file, size, hashlib.sha256(file.read_bytes()).hexdigest())


def detector_setup(
    name: str,
    images: Sequence[CheckedImage],
    cache: Path,
    *,
    validation: Sequence[CheckedImage] = (),
    labels: tuple[Label, ...] = LABELS,
    pretrained: bool = False,
    **given: Any,
) -> TrainingSetup:
    """What a recipe for the network `name` is built from, for images a few dozen pixels wide."""
    family = name.partition("_")[0]
    schema, small = _FAMILIES[family]
    return TrainingSetup(
        "segmentation" if family == "maskrcnn" else "detection",
        name,
        schema(**{**small, **given}),
        labels,
        tuple(images),
        tuple(validation or images[:1]),
        torch.device("cpu"),
        cache,
        ProgressReport(quiet=True),
        pretrained,
    )


def plan(indexes: Sequence[int], seed: int = 0, progress: float = 0.0) -> StepPlan:
    """What a step trains on."""
    rngs = [np.random.default_rng((seed, place)) for place in range(len(indexes))]
    return StepPlan(np.array(indexes, np.int64), rngs, np.random.default_rng(seed), progress)
