"""Resolving: a model name and what a job gives for it -> the hyperparameters of its kind of network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.architecture.architecture import Architecture, ClassifierArchitecture
from models.architecture.catalog import architecture, architecture_names, saved_architecture
from models.folder.manifest import TaskName
from models.huggingface.saved import saved_model
from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.expectation import did_you_mean, expectation
from settings.json_file import JsonFile
from settings.load import spellings
from settings.model import ClassificationSettings, DetectionSettings, ModelSettings, SegmentationSettings, YoloSettings
from training.hyperparameters.classification import ClassificationHyperparameters
from training.hyperparameters.detection import DetectionHyperparameters, SegmentationHyperparameters
from training.hyperparameters.frozen_layers import most_frozen
from training.hyperparameters.general import Hyperparameters
from training.hyperparameters.model_defaults import DEFAULT_MODELS, model_defaults
from training.hyperparameters.yolo import YoloHyperparameters

# By the settings with which a kind of network is served: what it is called, and its hyperparameters
KINDS: Mapping[type[ModelSettings], tuple[str, type[Hyperparameters]]] = MappingProxyType(
    {
        ClassificationSettings: ("classifiers", ClassificationHyperparameters),
        DetectionSettings: ("Faster R-CNN, RetinaNet", DetectionHyperparameters),
        SegmentationSettings: ("Mask R-CNN", SegmentationHyperparameters),
        YoloSettings: ("yolov5", YoloHyperparameters),
    }
)

# Hosted parameters that are accepted anywhere and change nothing here -> why
WITHOUT_EFFECT = MappingProxyType(
    {
        "num_workers": "images are decoded once, before the first epoch",
        "stream_image_files": "images are read where they are",
        "enable_onnx_normalization": "no ONNX file is written",
        "save_mlflow": "the folder of MLflow is always written",
        "log_training_metrics": "only the loss is measured in training",
        "log_validation_loss": "the loss is always measured in evaluations",
        "log_verbose_metrics": "all metrics are always written",
    }
)
_ADVANCED = "advanced_settings"
_ADVANCED_KEYS = ("apply_mosaic_for_yolo", "apply_automl_train_augmentations", "stream_image_files")

Given = dict[str, tuple[Any, str]]  # field -> (value, the key that it stands under)


def resolve(
    model_name: str | None, task: TaskName, given: Mapping[str, Any], source: str
) -> tuple[str, Hyperparameters]:
    """Return the name of the model, by default that of the task, and its effective hyperparameters.

    `given` are hyperparameters by any of their names, `source` says in messages where they stand. A model of
    transformers is named by its folder. SettingsError where a name, a value or a combination does not fit, ModelError
    where the model is not known.
    """
    name, found = model_for(model_name, task)
    _, schema = KINDS[found.settings]
    values = _sorted(schema, name, _flattened(given, source), source)
    own = model_defaults(name, task) | _sizes(found)
    resolved = _validated(schema, {key: (value, key) for key, value in own.items()} | values, source)
    _check_model(name, found, resolved, source)
    return name, resolved


def model_for(model_name: str | None, task: TaskName) -> tuple[str, Architecture]:
    """Return the name and the architecture of the model, by default that of the task; errors as `resolve`."""
    name = model_name or DEFAULT_MODELS[task]
    found = _architecture(name)
    if task not in found.tasks or found.settings not in KINDS:
        known = ", ".join(model_names(task))
        raise SettingsError(f"The model {name!r} is not for the task {task}. Models for it: {known}.")
    return name, found


def model_names(task: TaskName) -> Iterator[str]:
    """Yield the names of all models that can be trained for a task; a `*` stands for the names a library knows."""
    for name in architecture_names():
        if name.startswith("transformers/"):
            continue
        if name.endswith("*"):
            tasks: tuple[TaskName, ...] = ("multiclass", "multilabel")
        else:
            tasks = architecture(name).tasks
        if task in tasks:
            yield name


def unused(given: Mapping[str, Any], source: str) -> tuple[str, ...]:
    """Return sentences about what is given and changes nothing here."""
    names = _flattened(given, source)
    return tuple(f"{source}: {name!r} changes nothing: {why}." for name, why in WITHOUT_EFFECT.items() if name in names)


def _architecture(name: str) -> Architecture:
    config = Path(name) / "config.json"
    if not config.is_file():
        return architecture(name)
    processor = config.with_name("preprocessor_config.json")
    return saved_architecture(
        saved_model(JsonFile.read(config), JsonFile.read(processor) if processor.is_file() else None)
    )


def _sizes(found: Architecture) -> dict[str, int]:
    """Return sizes that the library of a network gives for it."""
    if not isinstance(found, ClassifierArchitecture):
        return {}
    sizes = {**found.defaults, **found.fixed}
    crop = sizes.get("valid_crop_size")
    return {**sizes, "train_crop_size": crop} if crop is not None else sizes


def _flattened(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the values with those inside `advanced_settings` beside the others."""
    values = {str(key): value for key, value in given.items() if key != _ADVANCED}
    advanced = given.get(_ADVANCED)
    if advanced is None:
        return values
    if isinstance(advanced, str):
        try:
            advanced = json.loads(advanced)
        except ValueError as error:
            raise SettingsError(
                f"{source}: {_ADVANCED!r} is {excerpt(given[_ADVANCED])}, which is no JSON: {error}. Expected an "
                "object such as '{\"apply_mosaic_for_yolo\": false}'."
            ) from None
    if not isinstance(advanced, Mapping):
        raise SettingsError(
            f"{source}: {_ADVANCED!r} is {excerpt(advanced)}; expected an object of {', '.join(_ADVANCED_KEYS)}."
        )
    for key, value in advanced.items():
        if key not in _ADVANCED_KEYS:
            hint = did_you_mean(str(key), _ADVANCED_KEYS)
            raise SettingsError(
                f"{source}: {_ADVANCED!r} holds {excerpt(key)}, which is not known.{hint} "
                f"Accepted: {', '.join(_ADVANCED_KEYS)}."
            )
        if key in values and values[key] != value:
            raise SettingsError(f"{source}: {key!r} stands there twice, once in {_ADVANCED!r}. Keep one of the two.")
        values[key] = value
    return values


def _sorted(schema: type[Hyperparameters], model_name: str, given: Mapping[str, Any], source: str) -> Given:
    known = spellings(schema)
    values: Given = {}
    for key, value in given.items():
        name = known.get(key)
        if name is None and key in WITHOUT_EFFECT:
            continue
        if name is None:
            raise SettingsError(f"{source}: {_unknown(key, schema, model_name)}")
        if value is None:
            continue  # null means "not decided here", as in the files of the hosted service
        if name in values and values[name][0] != value:
            first, other = values[name]
            raise SettingsError(
                f"{source}: {key!r} is {excerpt(value)}, but {other!r} sets the same to {excerpt(first)}. "
                "Keep one of the two."
            )
        values[name] = (value, key)
    return values


def _unknown(key: str, schema: type[Hyperparameters], model_name: str) -> str:
    owners = [other for other, kind in KINDS.values() if kind is not schema and key in spellings(kind)]
    if owners:
        return (
            f"the hyperparameter {excerpt(key)} belongs to {_listed(owners)}, not to {model_name}. Remove it, or "
            "choose another model."
        )
    hint = did_you_mean(key, (*spellings(schema), *WITHOUT_EFFECT, _ADVANCED))
    return (
        f"the hyperparameter {excerpt(key)} is not known.{hint} `python -m training defaults {model_name}` lists all."
    )


def _listed(names: Sequence[str]) -> str:
    words = ", ".join(names).split(", ")
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _validated(schema: type[Hyperparameters], values: Given, source: str) -> Hyperparameters:
    try:
        return schema.model_validate({name: value for name, (value, _) in values.items()})
    except ValidationError as error:
        sentences = dict.fromkeys(_sentence(schema, values, item) for item in error.errors())
        raise SettingsError(f"{source}: {' '.join(sentences)}") from None


def _sentence(schema: type[Hyperparameters], values: Given, item: ErrorDetails) -> str:
    reason = str(item.get("ctx", {}).get("error", item["msg"]))
    if not item["loc"]:
        return f"{reason}."
    name = str(item["loc"][0])
    value, key = values[name]
    because = f" ({reason})" if item["type"] == "value_error" else ""
    return f"{key!r} is {excerpt(value)}; expected {expectation(schema, name)}{because}."


def _check_model(name: str, found: Architecture, values: Hyperparameters, source: str) -> None:
    """Raise SettingsError for values that fit the kind of network, but not this one."""
    for key, value in found.fixed.items():
        if getattr(values, key, value) != value:
            raise SettingsError(
                f"{source}: {key!r} is {getattr(values, key)}, but {name} always uses {value}. Leave it out."
            )
    most, frozen = most_frozen(name), values.layers_to_freeze
    if frozen and not most:
        raise SettingsError(
            f"{source}: 'layers_to_freeze' is {frozen}, but the layers of {name} are not known by name. Leave it out."
        )
    if frozen and frozen > most:
        raise SettingsError(
            f"{source}: 'layers_to_freeze' is {frozen}; expected a whole number from 0 to {most} for {name}."
        )
    if fnmatchcase(name, "vit*r224") and isinstance(values, ClassificationHyperparameters):
        train, valid = values.train_crop_size, values.valid_crop_size
        if train != valid:
            raise SettingsError(
                f"{source}: {name} sees images of one size only, but 'train_crop_size' is {train} and "
                f"'valid_crop_size' {valid}. Set both to the same."
            )
