"""Resolving: a model name and what a job gives for it -> the hyperparameters of its kind of network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.architecture.architecture import Architecture, ClassifierArchitecture
from models.architecture.catalog import architecture, architecture_names, saved_architecture
from models.errors import ModelError
from models.folder.manifest import TaskName
from models.huggingface.saved import saved_model
from settings.errors import SettingsError
from settings.excerpt import excerpt
from settings.expectation import did_you_mean, expectation
from settings.json_file import JsonFile
from settings.load import spellings
from settings.model import ClassificationSettings, DetectionSettings, ModelSettings, SegmentationSettings, YoloSettings
from training.hyperparameters.advanced_settings import ADVANCED, flattened
from training.hyperparameters.classification import ClassificationHyperparameters
from training.hyperparameters.detection import (
    DetectionHyperparameters,
    RetinaNetHyperparameters,
    SegmentationHyperparameters,
)
from training.hyperparameters.frozen_layers import most_frozen
from training.hyperparameters.general import Hyperparameters
from training.hyperparameters.model_defaults import DEFAULT_MODELS, model_defaults
from training.hyperparameters.source import Source, place_of, refusal
from training.hyperparameters.yolo import YoloHyperparameters


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """Networks with the same hyperparameters: what they are called, and how they are told from others.

    They are served with `settings`, and their names match the pattern `names`.
    """

    title: str
    settings: type[ModelSettings]
    schema: type[Hyperparameters]
    names: str = "*"


KINDS = (
    NetworkKind("classifiers", ClassificationSettings, ClassificationHyperparameters),
    NetworkKind("Faster R-CNN", DetectionSettings, DetectionHyperparameters, "fasterrcnn_*"),
    NetworkKind("RetinaNet", DetectionSettings, RetinaNetHyperparameters, "retinanet_*"),
    NetworkKind("Mask R-CNN", SegmentationSettings, SegmentationHyperparameters),
    NetworkKind("yolov5", YoloSettings, YoloHyperparameters),
)

# Hosted parameters that are accepted for any model and change nothing here -> why
WITHOUT_EFFECT = MappingProxyType(
    {
        "num_workers": "images are decoded once, before the first epoch",
        "number_of_workers": "images are decoded once, before the first epoch",
        "stream_image_files": "images are read where they are",
        "enable_onnx_normalization": "no ONNX file is written",
        "save_mlflow": "the folder of MLflow is always written",
        "log_training_metrics": "only the loss is measured in training",
        "log_validation_loss": "the loss is always measured in evaluations",
        "log_verbose_metrics": "all metrics are always written",
    }
)

Given = dict[str, tuple[Any, str]]  # field -> (value, the key that it stands under)


def resolve(
    model_name: str | None, task: TaskName, given: Mapping[str, Any], source: Source
) -> tuple[str, Hyperparameters]:
    """Return the name of the model, by default that of the task, and its effective hyperparameters.

    `given` are hyperparameters by any of their names, `source` says in messages where they stand. A model of
    transformers is named by its folder. SettingsError where a name, a value or a combination does not fit.
    """
    name, found = model_for(model_name, task, source)
    schema = _schema(found)
    assert schema is not None  # model_for has refused the others
    values = _sorted(schema, name, flattened(given, source), source)
    own = model_defaults(name, task) | _sizes(found)
    resolved = _validated(schema, {key: (value, key) for key, value in own.items()} | values, source)
    _check_model(name, found, resolved, source)
    return name, resolved


def model_for(model_name: str | None, task: TaskName, source: Source) -> tuple[str, Architecture]:
    """Return the name and the architecture of the model, by default that of the task; errors as `resolve`."""
    name = model_name or DEFAULT_MODELS[task]
    try:
        found = trained_architecture(name)
    except ModelError as error:
        raise refusal(source, "model_name", _unknown_model(name, task, error)) from None
    if task not in found.tasks or _schema(found) is None:
        known = ", ".join(model_names(task))
        raise refusal(
            source, "model_name", f"the model {name!r} is not trained for the task {task}. Models for it: {known}."
        )
    return name, found


def trained_architecture(name: str) -> Architecture:
    """Return an architecture by its name, or by the folder of a model of transformers; ModelError for others."""
    if not is_saved_model(Path(name)):
        return architecture(name)
    config = Path(name) / "config.json"
    processor = config.with_name("preprocessor_config.json")
    return saved_architecture(
        saved_model(JsonFile.read(config), JsonFile.read(processor) if processor.is_file() else None)
    )


def is_saved_model(folder: Path) -> bool:
    """Return whether a folder holds a model of transformers."""
    try:
        return (folder / "config.json").is_file()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False


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


def unused(given: Mapping[str, Any], source: Source) -> tuple[str, ...]:
    """Return sentences about what is given and changes nothing here."""
    names = flattened(given, source)
    return tuple(
        f"{place_of(source, name)}: {name!r} changes nothing: {why}."
        for name, why in WITHOUT_EFFECT.items()
        if name in names
    )


def _schema(found: Architecture) -> type[Hyperparameters] | None:
    """Return the hyperparameters of a network; None where it cannot be trained."""
    fitting = (kind for kind in KINDS if kind.settings is found.settings and fnmatchcase(found.name, kind.names))
    return next((kind.schema for kind in fitting), None)


def _unknown_model(name: str, task: TaskName, error: ModelError) -> str:
    if "/" in name:  # of a library, which says what it lacks
        return str(error)
    known = list(model_names(task))
    hint = did_you_mean(name.lower(), known)
    return f"the model {excerpt(name)} is not known.{hint} Models for the task {task}: {', '.join(known)}."


def _sizes(found: Architecture) -> dict[str, int]:
    """Return sizes that the library of a network gives for it."""
    if not isinstance(found, ClassifierArchitecture):
        return {}
    sizes = {**found.defaults, **found.fixed}
    crop = sizes.get("valid_crop_size")
    return {**sizes, "train_crop_size": crop} if crop is not None else sizes


def _sorted(schema: type[Hyperparameters], model_name: str, given: Mapping[str, Any], source: Source) -> Given:
    known = spellings(schema)
    values: Given = {}
    for key, value in given.items():
        name = known.get(key)
        if name is None and key in WITHOUT_EFFECT:
            continue
        if name is None:
            raise refusal(source, key, _unknown(key, schema, model_name))
        if value is None:
            continue  # null means "not decided here", as in the files of the hosted service
        if name in values and values[name][0] != value:
            first, other = values[name]
            raise refusal(
                source,
                key,
                f"{key!r} is {excerpt(value)}, but {other!r} sets the same to {excerpt(first)}. Keep one of the two.",
            )
        values[name] = (value, key)
    return values


def _unknown(key: str, schema: type[Hyperparameters], model_name: str) -> str:
    owners = [kind.title for kind in KINDS if kind.schema is not schema and key in spellings(kind.schema)]
    quoted = excerpt(key)
    if owners:
        whose = f"belongs to {_listed(owners)}, not to {model_name}"
        return f"the hyperparameter {quoted} {whose}. Remove it, or choose another model."
    hint = did_you_mean(key, (*spellings(schema), *WITHOUT_EFFECT, ADVANCED))
    return f"the hyperparameter {quoted} is not known.{hint} `python -m training defaults {model_name}` lists all."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _validated(schema: type[Hyperparameters], values: Given, source: Source) -> Hyperparameters:
    try:
        return schema.model_validate({name: value for name, (value, _) in values.items()})
    except ValidationError as error:
        sentences = dict.fromkeys(str(_error(schema, values, item, source)) for item in error.errors())
        raise SettingsError(" ".join(sentences)) from None


def _error(schema: type[Hyperparameters], values: Given, item: ErrorDetails, source: Source) -> SettingsError:
    reason = str(item.get("ctx", {}).get("error", item["msg"]))
    if not item["loc"]:
        return refusal(source, next((key for name, (_, key) in values.items() if name in reason), ""), f"{reason}.")
    name = str(item["loc"][0])
    value, key = values[name]
    because = f" ({reason})" if item["type"] == "value_error" else ""
    return refusal(source, key, f"{key!r} is {excerpt(value)}; expected {expectation(schema, name)}{because}.")


def _check_model(name: str, found: Architecture, values: Hyperparameters, source: Source) -> None:
    """Raise SettingsError for values that fit the kind of network, but not this one."""
    for key, value in found.fixed.items():
        if (other := getattr(values, key, value)) != value:
            raise refusal(source, key, f"{key!r} is {other}, but {name} always uses {value}. Leave it out.")
    most, frozen = most_frozen(name), values.layers_to_freeze
    if frozen and frozen > most:
        expected = f"a whole number from 0 to {most}" if most else "none, as its layers are not known by name"
        raise refusal(source, "layers_to_freeze", f"'layers_to_freeze' is {frozen}; expected {expected}, for {name}.")
    if fnmatchcase(name, "vit*r224") and isinstance(values, ClassificationHyperparameters):
        train, valid = values.train_crop_size, values.valid_crop_size
        if train != valid:
            sizes = f"'train_crop_size' is {train} and 'valid_crop_size' {valid}"
            raise refusal(
                source, "valid_crop_size", f"{name} sees images of one size, but {sizes}. Set both to the same."
            )
