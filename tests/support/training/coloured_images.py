"""Images of one colour each, and a small network that learns to tell them apart."""

import hashlib
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from data.dataset import CheckedImage
from data.progress import ProgressReport
from data.record import LabelledImage
from models.folder.manifest import TaskName
from models.images.preprocess import Preprocess
from training.classification.recipe import ClassifierRecipe
from training.hyperparameters.classification import ClassificationHyperparameters
from training.recipe import TrainingSetup

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40)}


def coloured_images(folder: Path, count: int, seed: int = 0) -> tuple[CheckedImage, ...]:
    """Write `count` PNG files of 24 by 20 pixels with one label each, by turns."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    for index in range(count):
        label = list(COLOURS)[index % len(COLOURS)]
        file = folder / f"{seed}_{index}.png"
        noise = rng.integers(-40, 41, (20, 24, 3))
        Image.fromarray((np.array(COLOURS[label]) + noise).clip(0, 255).astype(np.uint8)).save(file)
        record = LabelledImage(file.name, index + 1, (label,))
        images.append(CheckedImage(record, file, (24, 20), hashlib.sha256(file.read_bytes()).hexdigest()))
    return tuple(images)


class SmallNetwork(nn.Sequential):
    """A convolution with a batch norm, dropout and a head."""

    def __init__(self, labels: int) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(8, labels),
        )


def small_setup(
    folder: Path, hyperparameters: ClassificationHyperparameters, count: int = 30, task: TaskName = "multiclass"
) -> TrainingSetup:
    """Return what a recipe is built from: `count` images to train on and nine to evaluate with."""
    return TrainingSetup(
        task=task,
        model_name="small",
        hyperparameters=hyperparameters,
        labels=tuple(COLOURS),
        training=coloured_images(folder / "images", count),
        validation=coloured_images(folder / "images", 9, seed=1),
        device=torch.device("cpu"),
        cache=folder / "decoded",
        report=ProgressReport(stream=StringIO()),
    )


def small_recipe(setup: TrainingSetup) -> ClassifierRecipe:
    """Return a recipe of the small network, the same for each seed."""
    torch.manual_seed(setup.hyperparameters.seed)
    parameters = setup.hyperparameters
    preprocess = Preprocess(parameters.valid_resize_size, parameters.valid_crop_size)
    return ClassifierRecipe(setup, SmallNetwork(len(setup.labels)), preprocess)


def small_hyperparameters(**given: object) -> ClassificationHyperparameters:
    """Return hyperparameters for images of 16 pixels, with `given` changed."""
    sizes = {"train_crop_size": 16, "valid_crop_size": 16, "valid_resize_size": 18}
    usual = {"number_of_epochs": 4, "training_batch_size": 8, "learning_rate": 0.05, "precision": "fp32", **sizes}
    return ClassificationHyperparameters.model_validate({**usual, **given})
