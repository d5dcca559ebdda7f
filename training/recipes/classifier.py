"""The classifiers of AutoML for Images, and any of torchvision and timm."""

import torch

from models.architecture.catalog import classifier_architecture
from models.images.preprocess import Preprocess
from settings.load import load_model_settings
from settings.model import ClassificationSettings
from training.classification.recipe import ClassifierRecipe
from training.hyperparameters.frozen_layers import frozen_prefixes
from training.recipe import RecipeFamily, TrainingSetup

_SIZES = ("valid_resize_size", "valid_crop_size", "train_crop_size")


def _build(setup: TrainingSetup) -> ClassifierRecipe:
    architecture = classifier_architecture(setup.model_name)
    settings = load_model_settings(
        ClassificationSettings,
        checkpoint={name: getattr(setup.hyperparameters, name) for name in _SIZES},
        fixed=architecture.fixed,
    ).values
    torch.manual_seed(setup.hyperparameters.seed)
    network = architecture.build(len(setup.labels), settings)
    frozen = frozen_prefixes(setup.model_name, setup.hyperparameters.layers_to_freeze)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not name.startswith(frozen))
    preprocess = Preprocess(settings.valid_resize_size, settings.valid_crop_size, architecture.statistics)
    return ClassifierRecipe(setup, network, preprocess)


RECIPE = RecipeFamily(
    names=(
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "mobilenetv2",
        "seresnext",
        "resnest50",
        "resnest101",
        "vits16r224",
        "vitb16r224",
        "vitl16r224",
        "torchvision/*",
        "timm/*",
    ),
    tasks=("multiclass", "multilabel"),
    build=_build,
)
