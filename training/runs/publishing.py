"""Publishing: writes the best network of a run as a model folder.

outputs/mlflow-model/{MLmodel, artifacts/{model.pt, settings.json}}   as AutoML for Images lays it out
outputs/model.safetensors                                             the weights without code, for other programs
outputs/manifest.json                                                 architecture, labels, task, origin
"""

import json
import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from models.definition import task_named
from models.folder.manifest import MANIFEST, Manifest, TaskName
from models.folder.registry import now
from models.labels import Label
from training.recipe import Recipe
from training.runs.state_file import sync_folder

_COLUMNS = {"multiclass": ("probs", "labels"), "multilabel": ("probs", "labels")}


def publish(
    folder: Path,
    recipe: Recipe,
    *,
    task: TaskName,
    model_name: str,
    labels: tuple[Label, ...],
    score: Mapping[str, Any],
    origin: Mapping[str, str],
    describe: Callable[[Path], None],
) -> None:
    """Write the network of a recipe to `folder`, whole or not at all, in place of what is there.

    `score` is kept in the checkpoint as epoch, score and metrics; `origin` in the manifest. `describe` adds
    files for people to the new folder. The manifest has no hashes, so that settings.json may still be edited.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _write(fresh, recipe, task, model_name, score)
        describe(fresh)
        manifest = Manifest(
            architecture=model_name,
            labels=list(labels),
            task=task,
            created=now(),
            origin=dict(origin),
        )
        (fresh / MANIFEST).write_text(manifest.model_dump_json(indent=2, exclude_none=True) + "\n")
        for file in fresh.rglob("*"):
            if file.is_dir():
                sync_folder(file)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write(fresh: Path, recipe: Recipe, task: TaskName, model_name: str, score: Mapping[str, Any]) -> None:
    artifacts = fresh / "mlflow-model" / "artifacts"
    artifacts.mkdir(parents=True)
    checkpoint = recipe.checkpoint(recipe.network)
    state = OrderedDict(checkpoint["model_state"])
    torch.save({"model_name": model_name, **checkpoint, **score, "model_state": state}, artifacts / "model.pt")
    save_file({name: tensor.clone() for name, tensor in state.items()}, fresh / "model.safetensors")
    (artifacts / "settings.json").write_text(json.dumps(recipe.settings(), indent=2) + "\n")
    columns = json.dumps([{"name": name, "type": "string"} for name in _COLUMNS.get(task, ("boxes",))])
    (fresh / "mlflow-model" / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"
        f"metadata:\n  azureml.automl.task: {task_named(task).hosted_name}\n"
        'signature:\n  inputs: \'[{"name": "image", "type": "binary"}]\'\n'
        f"  outputs: '{columns}'\n"
    )
