"""yolov5 trained for a few steps from random weights, saved, and loaded as a server loads it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.dataset import CheckedImage
from models.detector import Detector
from models.images.decoding import ImageLimits
from models.loaded import load
from models.predictions import Boxes
from tests.support.folders.checkpoints import write_json
from tests.training.detection.scenes import LABELS, detector_setup, plan, write_scene
from training.moving_average import MovingAverage
from training.recipes.yolov5 import RECIPE, YoloRecipe

LIMITS = ImageLimits(2**20, 2**20)

Build = Callable[..., YoloRecipe]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[CheckedImage]:
    """Four scenes, of which the second is a background, the third has a crowd and the last stands upright."""
    folder = tmp_path_factory.mktemp("images")
    return [
        write_scene(folder, 0),
        write_scene(folder, 1, objects=0),
        write_scene(folder, 2, crowd=True),
        write_scene(folder, 3, (64, 96)),
    ]


@pytest.fixture
def build(images: list[CheckedImage], tmp_path: Path) -> Build:
    def built(**given: Any) -> YoloRecipe:
        recipe = RECIPE.build(detector_setup("yolov5", images, tmp_path / "cache", validation=images, **given))
        assert isinstance(recipe, YoloRecipe)
        return recipe

    return built


def train(recipe: YoloRecipe, steps: int, rate: float = 1e-3) -> list[float]:
    """Train as the loop does, leave the average in the network, and return the losses."""
    optimizer = torch.optim.SGD([each for each in recipe.network.parameters() if each.requires_grad], rate, 0.9)
    average, losses = recipe.average(recipe.network), []
    assert isinstance(average, MovingAverage)
    recipe.network.train()
    for step in range(steps):
        batch = recipe.batch(plan(range(recipe.example_count), step, step / steps))
        loss = torch.stack([*recipe.losses(recipe.network, batch).values()]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_value_(recipe.network.parameters(), 5.0)
        optimizer.step()
        average.update(recipe.network)
        losses.append(loss.item())
    recipe.network.load_state_dict(average.network.state_dict())
    recipe.network.eval()
    return losses


def served(recipe: YoloRecipe, folder: Path) -> Detector:
    folder.mkdir()
    torch.save({"model_name": "yolov5", **recipe.checkpoint(recipe.network)}, folder / "model.pt")
    write_json(folder / "settings.json", recipe.settings())
    model = load(folder)
    assert isinstance(model, Detector)
    return model


def reply_of(model: Detector, image: CheckedImage) -> Boxes:
    decoded = model.read(image.file.read_bytes(), LIMITS, model.settings({}))
    reply = model.combine(decoded, model.outputs([each.data for each in decoded.inputs]))
    assert isinstance(reply, Boxes)
    return reply


@pytest.mark.parametrize("size", ["small", "medium", "large", "xlarge"])
def test_every_size_trains_and_is_served(build: Build, tmp_path: Path, images: list[CheckedImage], size: str) -> None:
    recipe = build(model_size=size, img_size=32, box_score_thresh=0.001)
    before = recipe.network.head.m[0].weight.detach().clone()
    assert np.isfinite(train(recipe, 2)).all()
    assert not torch.equal(recipe.network.head.m[0].weight, before)
    model = served(recipe, tmp_path / "model")
    assert (model.definition.labels, model.definition.task.name) == (LABELS, "detection")
    assert (model.settings({}).model_size, model.settings({}).img_size) == (size, 32)
    assert reply_of(model, images[0]).boxes


def test_evaluation_says_what_a_server_replies(build: Build, tmp_path: Path, images: list[CheckedImage]) -> None:
    recipe = build(box_score_thresh=0.003, tile_grid_size=(2, 1))
    train(recipe, 2)
    evaluation = recipe.evaluate(recipe.network)
    assert {"mean_average_precision", "recall", "coco_ap", "coco_ap50", "log_loss"} <= evaluation.metrics.keys()
    model = served(recipe, tmp_path / "model")
    for image, prediction in zip(images, evaluation.predictions, strict=True):
        expected = reply_of(model, image).boxes
        assert prediction["image_url"] == image.image.url
        assert len(prediction["boxes"]) == len(expected) > 0
        for one, other in zip(prediction["boxes"], expected, strict=True):
            assert one["label"] == other["label"]
            assert one["score"] == pytest.approx(other["score"], abs=1e-6)
            assert one["box"] == pytest.approx(other["box"], abs=1e-6)


def test_turned_images_train_as_they_are_served(images: list[CheckedImage], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    file = tmp_path / "turned.png"
    Image.open(images[0].file).transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)
    turned = replace(images[0], file=file, size=images[0].size[::-1], sha256="turned", orientation=6)
    setup = detector_setup("yolov5", [images[0], turned], tmp_path / "cache", validation=[turned])
    given = {"apply_mosaic_for_yolo": False, "apply_automl_train_augmentations": False}
    plain = replace(setup, hyperparameters=setup.hyperparameters.model_copy(update=given))
    batch = RECIPE.build(plain).batch(plan([0, 1]))
    assert torch.equal(batch.images[0], batch.images[1])
    boxes = batch.targets.boxes
    assert torch.equal(boxes[batch.targets.images == 0], boxes[batch.targets.images == 1])


def test_training_lowers_the_loss(build: Build) -> None:
    losses = train(build(apply_mosaic_for_yolo=False, apply_automl_train_augmentations=False), 8, 0.01)
    assert losses[-1] < 0.9 * losses[0]


def test_frozen_layers_stay_as_they_are(build: Build) -> None:
    recipe = build(layers_to_freeze=10)
    before = {name: value.clone() for name, value in recipe.network.named_parameters()}
    train(recipe, 2)
    for name, value in recipe.network.named_parameters():
        assert torch.equal(value, before[name]) == (int(name.partition(".")[0]) < 10), name


def test_tiles_with_objects_are_further_examples(build: Build) -> None:
    assert build().example_count == 4
    recipe = build(tile_grid_size=(2, 1))
    assert 4 < recipe.example_count < 12
    assert np.isfinite(train(recipe, 1)).all()


def test_a_network_expects_few_objects_at_first(build: Build) -> None:
    recipe = build()
    recipe.network.eval()
    with torch.inference_mode():
        rows = recipe.network.head.decode(recipe.network(torch.rand(1, 3, 64, 64)))[0]
    assert 0.001 < rows[:, 4].median().item() < 0.1
    assert 0.3 < rows[:, 5:].median().item() < 0.7
