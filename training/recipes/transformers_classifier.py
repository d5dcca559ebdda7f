"""Classifiers of transformers, named by a folder with a config.json and a preprocessor_config.json.

The model that training leaves is such a folder too, as `save_pretrained` writes it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.architecture.architecture import ClassifierArchitecture
from models.architecture.catalog import saved_architecture
from models.huggingface.network import Outputs
from models.huggingface.saved import SavedModel, saved_model
from models.images.preprocess import Preprocess
from models.labels import named
from settings.json_file import JsonFile
from training.classification.recipe import ClassifierRecipe
from training.recipe import Recipe, RecipeFamily, TrainingSetup


class TransformersRecipe(ClassifierRecipe):
    """Trains a classifier of transformers with a head for the labels of the data."""

    def __init__(self, setup: TrainingSetup) -> None:
        folder = Path(setup.model_name)
        processor = folder / "preprocessor_config.json"
        self.saved: SavedModel = saved_model(
            JsonFile.read(folder / "config.json"), JsonFile.read(processor) if processor.is_file() else None
        )
        architecture = saved_architecture(self.saved)
        assert isinstance(architecture, ClassifierArchitecture)
        config: Any = self.saved.config
        config.id2label = {index: named(label) for index, label in enumerate(setup.labels)}
        config.label2id = {name: index for index, name in config.id2label.items()}
        several = setup.task == "multilabel"
        config.problem_type = "multi_label_classification" if several else "single_label_classification"
        torch.manual_seed(setup.hyperparameters.seed)
        network = Outputs(self.saved.network(config), "logits")
        sizes = architecture.fixed
        preprocess = Preprocess(sizes["valid_resize_size"], sizes["valid_crop_size"], architecture.statistics)
        super().__init__(setup, network, preprocess)


def _write(recipe: Recipe, network: nn.Module, folder: Path) -> None:
    assert isinstance(recipe, TransformersRecipe)
    inner: Any = network.get_submodule("network")
    inner.save_pretrained(folder)
    recipe.saved.processor.save_pretrained(folder)


RECIPE = RecipeFamily(
    names=("transformers/*ForImageClassification*",),
    tasks=("multiclass", "multilabel"),
    build=TransformersRecipe,
    write=_write,
)
