"""Every classifier of AutoML for Images is trained for two steps from seeded weights, published, loaded and scored."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from models.architecture.architecture import ClassifierArchitecture
from models.architecture.catalog import architecture
from models.folder.manifest import Manifest
from models.images.decoding import ImageLimits
from models.loaded import load
from settings.model import ClassificationSettings
from tests.support.training.coloured_images import small_hyperparameters, small_setup
from training.classification.recipe import ClassifierRecipe
from training.loop.batches import BatchOrder
from training.loop.optimizer import build_optimizer
from training.recipe import TrainingSetup
from training.recipes.classifier import RECIPE
from training.runs.publishing import publish, write_hosted

LIMITS = ImageLimits(2**20, 2**20)
NAMES = [name for name in RECIPE.names if "*" not in name]
LARGE = "vitl16r224"  # 24 blocks alike, 1.2 GB: two are enough to train, to write and to read
SIZES = {"train_crop_size": 32, "valid_crop_size": 32, "valid_resize_size": 36}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


def train(recipe: ClassifierRecipe, parameters: Any) -> None:
    """Take two steps as the loop does, of two images each."""
    optimizer = build_optimizer(recipe.network, parameters, parameters.learning_rate)
    order = BatchOrder(parameters.seed, recipe.example_count, 2, 1)
    recipe.network.train()
    for step in range(2):
        loss = recipe.losses(recipe.network, recipe.batch(order.plan(0, step)))["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        assert loss.isfinite()


def last(recipe: ClassifierRecipe) -> str:
    return [name for name, _ in recipe.network.named_parameters()][-1]


def trained(setup: TrainingSetup, outputs: Path) -> Sequence[Any]:
    """Train and publish a network, and return its predictions; it does not stay in memory."""
    name, task = setup.model_name, setup.task
    recipe = RECIPE.build(setup)
    assert isinstance(recipe, ClassifierRecipe)
    network = recipe.network
    before = network.get_parameter(last(recipe)).detach().clone()
    train(recipe, setup.hyperparameters)
    assert not torch.equal(network.get_parameter(last(recipe)), before)
    publish(
        outputs,
        Manifest(architecture=name, labels=list(setup.labels), task=task),
        lambda folder: write_hosted(folder, recipe, network, task=task, model_name=name, score={"epoch": 0}),
    )
    return recipe.evaluate(network.eval()).predictions


@pytest.mark.parametrize("name", [*NAMES, "torchvision/squeezenet1_1", "timm/resnet10t"])
def test_every_name_trains_and_is_served(
    name: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == LARGE:
        monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=2))
    task: Any = "multilabel" if name == "resnet18" else "multiclass"
    setup = small_setup(images, small_hyperparameters(**SIZES, momentum=0), count=4, task=task)
    setup = replace(setup, model_name=name, validation=setup.validation[:2])
    expected = trained(setup, tmp_path / "outputs")
    model: Any = load(tmp_path / "outputs")
    shutil.rmtree(tmp_path / "outputs")  # pytest keeps folders for a while
    assert (model.definition.architecture.name, model.definition.task.name) == (name, task)
    for image, prediction in zip(setup.validation, expected, strict=True):
        decoded = model.read(image.file.read_bytes(), LIMITS, model.settings({}))
        scores = model.combine(decoded, model.outputs([each.data for each in decoded.inputs]))
        assert list(scores.labels) == prediction["labels"]
        assert scores.probs == pytest.approx(prediction["probs"], abs=1e-5)


def test_the_large_transformer_is_whole() -> None:
    found = architecture(LARGE)
    assert isinstance(found, ClassifierArchitecture)
    with torch.device("meta"):
        network = found.build(3, ClassificationSettings())
    assert len(list(network.get_submodule("blocks").children())) == 24
    assert sum(each.numel() for each in network.parameters()) == 303_304_707
