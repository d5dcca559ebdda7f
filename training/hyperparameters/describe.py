"""Hyperparameters as text: the effective ones of a model, and the tables in the docs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.folder.manifest import TaskName
from settings.expectation import expectation
from settings.load import spellings
from training.hyperparameters.frozen_layers import most_frozen
from training.hyperparameters.general import Hyperparameters
from training.hyperparameters.resolution import WITHOUT_EFFECT, model_names, resolve, trained_architecture

_TASKS: tuple[TaskName, ...] = ("multiclass", "multilabel", "detection", "segmentation")
# The model whose defaults the docs show for its kind
_SHOWN: Mapping[str, tuple[str, TaskName]] = MappingProxyType(
    {
        "classifiers": ("resnet50", "multiclass"),
        "Faster R-CNN": ("fasterrcnn_resnet50_fpn", "detection"),
        "RetinaNet": ("retinanet_resnet50_fpn", "detection"),
        "Mask R-CNN": ("maskrcnn_resnet50_fpn", "segmentation"),
        "yolov5": ("yolov5", "detection"),
    }
)
_FROZEN = "layers_to_freeze"
_BY_MODEL = ("number_of_epochs", "training_batch_size", "validation_batch_size", "learning_rate", "grad_clip_type")


@dataclass(frozen=True, slots=True)
class DescribedHyperparameter:
    """One hyperparameter of a model. It may be given by any of `names`; `origin` is hosted or ours."""

    names: tuple[str, ...]
    value: Any
    accepts: str
    origin: str
    meaning: str

    @property
    def value_text(self) -> str:
        """The value as a job file has it."""
        if self.value is None:
            return "none"
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


def effective(model_name: str | None, task: TaskName | None) -> tuple[str, TaskName, list[DescribedHyperparameter]]:
    """Return a model, a task and the hyperparameters of a job that gives none; errors as `resolve`.

    Without a task it is the first that the model is for; without a model, the default of the task or of multiclass.
    """
    if task is None:
        task = trained_architecture(model_name).tasks[0] if model_name is not None else "multiclass"
    name, values = resolve(model_name, task, {}, "defaults")
    return name, task, list(_described(values, most_frozen(name)))


def _described(values: Hyperparameters, layers: int) -> Iterator[DescribedHyperparameter]:
    schema = type(values)
    for field, info in schema.model_fields.items():
        aliases = [key for key, owner in spellings(schema).items() if owner == field != key]
        extra = info.json_schema_extra
        yield DescribedHyperparameter(
            (field, *aliases),
            getattr(values, field),
            f"a whole number from 0 to {layers}" if field == _FROZEN and layers else _accepts(schema, field),
            "ours" if isinstance(extra, Mapping) and extra.get("ours") else "hosted",
            str(info.description),
        )


def _accepts(schema: type[Hyperparameters], field: str) -> str:
    return expectation(schema, field).removesuffix(" or null")  # an absent key is the null


def hyperparameters_table() -> str:
    """Render all hyperparameters as a Markdown table: a row each, and a column of defaults for each kind of model."""
    columns = [{each.names: each for each in effective(name, task)[2]} for _, (name, task) in _SHOWN.items()]
    rows = []
    for names in dict.fromkeys(names for column in columns for names in column):
        known = [column.get(names) for column in columns]
        first = next(each for each in known if each is not None)
        defaults = " | ".join("" if each is None else f"`{each.value_text}`" for each in known)
        title = ", ".join(f"`{name}`" for name in names) + (" (ours)" if first.origin == "ours" else "")
        accepts = "a whole number of at least 0" if names[0] == _FROZEN else first.accepts
        rows.append(f"| {title} | {defaults} | {accepts} | {first.meaning} |")
    head = ["name, other names", *_SHOWN, "accepts", "meaning"]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def defaults_by_model_table() -> str:
    """Render the defaults that differ between models as a Markdown table, a row for models that have the same."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for task in _TASKS:
        for name in model_names(task):
            # what a library's own networks have is the same for all of them
            values = resolve(name.replace("*", "resnet18"), task, {}, "defaults")[1]
            cells = (task, *(f"`{getattr(values, field)}`" for field in _BY_MODEL))
            rows.setdefault(cells, []).append(f"`{name.replace('*', 'NAME')}`")
    lines = [f"| {', '.join(names)} | {' | '.join(cells)} |" for cells, names in rows.items()]
    head = ["models", "task", *(f"`{field}`" for field in _BY_MODEL)]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines])


def unused_table() -> str:
    """Render the hosted hyperparameters that change nothing here as a Markdown table."""
    rows = [f"| `{name}` | {why} |" for name, why in WITHOUT_EFFECT.items()]
    return "\n".join(["| name | why |", "|---|---|", *rows])
