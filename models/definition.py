"""Definition: what a model folder says about its model, gathered from checkpoint, manifest and settings.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from models import tasks
from models.architecture import Architecture, State
from models.catalog import architecture
from models.discovery import constants
from models.errors import ModelError
from models.folder import ModelFolder
from models.manifest import MANIFEST, read_manifest
from models.preprocess import Preprocess
from models.task import Task
from models.timm_config import read_timm_config
from models.weights import Checkpoint, read_checkpoint
from settings.load import load_model_settings
from settings.model import ClassificationSettings, ModelSettings
from settings.resolved import Resolved


@dataclass(frozen=True, slots=True)
class Definition:
    """A model without its weights: enough to show, to register and to build it."""

    folder: ModelFolder
    architecture: Architecture
    task: Task
    labels: tuple[str, ...]
    settings: Resolved[ModelSettings]
    preprocess: Preprocess


def define(folder: ModelFolder, *, strict: bool = False) -> tuple[Definition, State]:
    """Read a folder's definition and its tensors. ModelError or SettingsError where it cannot be served."""
    checkpoint = read_checkpoint(folder.weights)
    if checkpoint.model_name is None:
        found, task, labels = _from_manifest(folder)
        saved: Mapping[str, Any] = {}
    else:
        found, task, labels = _from_checkpoint(folder, checkpoint)
        saved = _mapping((checkpoint.specs or {}).get("model_settings"))
    settings = load_model_settings(
        found.settings,
        file=folder.settings,
        checkpoint=saved,
        defaults=found.defaults,
        fixed=found.fixed,
        strict=strict,
    )
    sizes = cast(ClassificationSettings, settings.values)
    preprocess = Preprocess(sizes.valid_resize_size, sizes.valid_crop_size, found.statistics)
    return Definition(folder, found, task, labels, settings, preprocess), checkpoint.state


def task_named(name: str) -> Task:
    """Return the task that manifests call `name`."""
    found: Task = next(task for _, task in constants(tasks, "TASK") if task.name == name)
    return found


def _from_manifest(folder: ModelFolder) -> tuple[Architecture, Task, tuple[str, ...]]:
    config = read_timm_config(folder.timm_config) if folder.timm_config else None
    if folder.manifest is not None:
        manifest = read_manifest(folder.manifest)
        found, task, labels = architecture(manifest.architecture), manifest.task, tuple(manifest.labels)
    elif config is not None and config.architecture and config.labels:
        found, task, labels = architecture(config.architecture), "multiclass", config.labels
    else:
        raise ModelError(
            f"{folder.weights} holds weights only. Put a {MANIFEST} beside it that names them: "
            '{"architecture": "resnet50", "labels": ["can", "carton"], "task": "multiclass"}.'
        )
    return config.fitted(found) if config else found, task_named(task), labels


def _from_checkpoint(folder: ModelFolder, checkpoint: Checkpoint) -> tuple[Architecture, Task, tuple[str, ...]]:
    specs = _mapping(checkpoint.specs)
    found = architecture(str(checkpoint.model_name))
    labels = specs.get("labels")
    if not isinstance(labels, (list, tuple)) or not labels or not all(isinstance(label, str) for label in labels):
        raise ModelError(f"{folder.weights}: specs['labels'] is {labels!r}; expected a list of texts, one a class.")
    if len(labels) != checkpoint.number_of_classes:
        raise ModelError(
            f"{folder.weights} says it has {checkpoint.number_of_classes} classes, but lists {len(labels)} labels. "
            "Both must agree."
        )
    return found, task_named("multilabel" if specs.get("multilabel") else "multiclass"), tuple(labels)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
