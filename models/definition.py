"""Definition: what a model is, resolved from all that its folder says: checkpoint, manifest, configs and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from models import tasks
from models.architecture import catalog
from models.architecture.architecture import Architecture, ClassifierArchitecture, DetectorArchitecture, State
from models.architecture.building import build_network
from models.discovery import constants
from models.errors import ModelError
from models.folder.content import FolderContent
from models.folder.layout import ModelFolder
from models.folder.manifest import MANIFEST, TaskName
from models.folder.signature import Signature
from models.folder.timm_config import timm_config
from models.huggingface.saved import SavedModel, saved_model
from models.images.preprocess import Preprocess
from models.labels import Label, checked_labels
from models.task import Task
from settings.excerpt import counted, excerpt
from settings.load import load_model_settings, override
from settings.model import ClassificationSettings, ModelSettings
from settings.resolved import Resolved

# what checkpoints of AutoML for Images call the class that is no object
BACKGROUND = "--bg--"


@dataclass(frozen=True, slots=True)
class Definition:
    """A model without its weights: enough to show, to register and to build it.

    `used` are the files that decide what the model says.
    """

    folder: ModelFolder
    used: tuple[Path, ...]
    architecture: Architecture
    task: Task
    labels: tuple[Label, ...]
    settings: Resolved[ModelSettings]
    signature: Signature

    @property
    def preprocess(self) -> Preprocess:
        """The sizes and statistics of the images that a classifier sees."""
        values, architecture = self.settings.values, self.architecture
        assert isinstance(values, ClassificationSettings) and isinstance(architecture, ClassifierArchitecture)
        return Preprocess(values.valid_resize_size, values.valid_crop_size, architecture.statistics)

    def sizes(self) -> dict[str, int]:
        """Return the settings that fix the size of what the network sees."""
        return {name: getattr(self.settings.values, name) for name in self.settings.values.sizes}

    def settings_for(self, given: Mapping[str, Any]) -> ModelSettings:
        """Return the settings of a request that sets `given` otherwise; SettingsError where it cannot."""
        values = self.settings.values
        return override(values, given, "inference_parameters") if given else values

    def build(self, state: State) -> nn.Module:
        """Build the network with the tensors of `state`, in evaluation mode; ModelError where they do not fit."""
        background = isinstance(self.architecture, DetectorArchitecture) and self.architecture.background
        classes = len(self.labels) + int(background)
        return build_network(self.architecture, classes, self.settings.values, state, self.folder.weights)


def resolve(content: FolderContent, *, strict: bool = False) -> Definition:
    """Decide what a folder's model is and how it is set up, from all that its files say.

    With `strict`, unknown keys of settings.json are refused. ModelError or SettingsError where the model cannot be
    served.
    """
    if content.checkpoint.model_name is None:
        architecture, task, given = _from_companions(content)
        saved: Mapping[str, Any] = {}
    else:
        architecture, task, given = _from_checkpoint(content)
        saved = _saved_settings(architecture, _mapping(content.checkpoint.specs))
    labels = _checked(architecture, given, content.folder)
    load = partial(
        load_model_settings,
        architecture.settings,
        file=content.settings,
        checkpoint=saved,
        fixed=architecture.fixed,
        strict=strict,
    )
    settings = load(defaults={**architecture.defaults, **_reply_format(content, architecture)})
    defaults = architecture.library_defaults if isinstance(architecture, DetectorArchitecture) else {}
    if defaults and all(settings.sources[name] == "default" for name in defaults):
        settings = load(defaults=defaults)
    return Definition(content.folder, content.used, architecture, task_named(task), labels, settings, content.signature)


def _reply_format(content: FolderContent, architecture: Architecture) -> Mapping[str, str]:
    """Return the default of `reply_format` where the hosted endpoint replies with ranked labels."""
    ranks = content.of_mlflow_transformers and architecture.settings is ClassificationSettings
    return {"reply_format": "ranked"} if ranks else {}


def task_named(name: str) -> Task:
    """Return the task that manifests call `name`."""
    task: Task = next(each for _, each in constants(tasks, "TASK") if each.name == name)
    return task


def _from_companions(content: FolderContent) -> tuple[Architecture, TaskName, Any]:
    """Return architecture, task and labels of plain weights, from the manifest and config.json beside them."""
    folder, manifest = content.folder, content.manifest
    saved = None
    if content.config is not None and content.of_transformers:
        saved = saved_model(content.config, content.processor)
    config = timm_config(content.config.content) if content.config is not None else None
    if saved is not None:
        architecture, labels = catalog.saved_architecture(saved), _labels(content, saved)
    elif manifest is not None:
        architecture, labels = catalog.architecture(manifest.architecture), tuple(manifest.labels)
    elif config is not None and config.architecture and config.labels:
        architecture, labels = catalog.architecture(config.architecture), config.labels
    else:
        raise ModelError(
            f"{folder.weights} holds weights only. Put a {MANIFEST} beside it that names them: "
            '{"architecture": "resnet50", "labels": ["can", "carton"], "task": "multiclass"}.'
        )
    task = (manifest.task if manifest is not None else None) or architecture.tasks[0]
    if task not in architecture.tasks:
        raise ModelError(
            f"{folder.manifest}: the task is {task!r}, but {architecture.name} is for "
            f"{' or '.join(architecture.tasks)}. Correct one of the two."
        )
    if isinstance(architecture, ClassifierArchitecture) and config is not None:
        architecture = config.applied_to(architecture)
    return architecture, task, labels


def _labels(content: FolderContent, saved: SavedModel) -> tuple[Any, ...]:
    """Return the labels of a model of transformers; a manifest may give them other names."""
    manifest = content.manifest
    if manifest is None:
        return saved.labels
    if manifest.architecture != saved.name or len(manifest.labels) != len(saved.labels):
        raise ModelError(
            f"{content.folder.manifest} describes {manifest.architecture} with "
            f"{counted(len(manifest.labels), 'label')}, but {content.folder.config} {saved.name} with "
            f"{len(saved.labels)}. Both must agree."
        )
    return tuple(manifest.labels)


def _from_checkpoint(content: FolderContent) -> tuple[Architecture, TaskName, Any]:
    """Return architecture, task and labels of a checkpoint of AutoML for Images, which describes itself."""
    checkpoint, weights = content.checkpoint, content.folder.weights
    specs = _mapping(checkpoint.specs)
    architecture = catalog.architecture(str(checkpoint.model_name))
    key = "labels" if isinstance(architecture, ClassifierArchitecture) else "classes"
    labels = specs.get(key)
    if not isinstance(labels, (list, tuple, np.ndarray)) or not len(labels):
        raise ModelError(f"{weights}: specs[{key!r}] is {excerpt(labels)}; expected a list of labels, one a class.")
    if len(labels) != checkpoint.number_of_classes:
        raise ModelError(
            f"{weights} says it has {checkpoint.number_of_classes} classes, but lists {len(labels)} {key}. "
            "Both must agree."
        )
    if isinstance(architecture, ClassifierArchitecture):
        return architecture, "multilabel" if specs.get("multilabel") else "multiclass", labels
    return architecture, architecture.tasks[0], labels


def _checked(architecture: Architecture, given: Any, folder: ModelFolder) -> tuple[Label, ...]:
    """Check labels, and leave out the background, which some detectors count as their first class."""
    has_background = isinstance(architecture, DetectorArchitecture) and architecture.background
    labels = list(given)
    if has_background and isinstance(labels[0], str) and labels[0] == BACKGROUND:
        labels = labels[1:]
        if not labels:
            raise ModelError(f"{folder.weights} names the background only; expected labels after it.")
    try:
        return checked_labels(labels)
    except ValueError as error:
        raise ModelError(f"{folder.weights}: {error}.") from None


def _saved_settings(architecture: Architecture, specs: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the settings that a checkpoint holds: those of inference win over those of the model and of training.

    Some checkpoints keep all settings of their training as `model_specs`, of which only exact names count.
    """
    known = architecture.settings.model_fields
    trained = {key: value for key, value in _mapping(specs.get("model_specs")).items() if key in known}
    return {**trained, **_mapping(specs.get("model_settings")), **_mapping(specs.get("inference_settings"))}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
