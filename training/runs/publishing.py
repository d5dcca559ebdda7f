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
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from models.definition import task_named
from models.errors import first_line
from models.folder.manifest import MANIFEST, Manifest, TaskName
from training.recipe import Recipe
from training.runs.state_file import sync

_COLUMNS = {"multiclass": ("probs", "labels"), "multilabel": ("probs", "labels")}


def publish(folder: Path, manifest: Manifest, *writers: Callable[[Path], None]) -> None:
    """Write a model folder, whole or not at all, in place of what is there; each writer adds files to it.

    The manifest has no hashes of files, so that settings.json may still be edited.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir()
        for write in writers:
            write(fresh)
        (fresh / MANIFEST).write_text(manifest.model_dump_json(indent=2, exclude_none=True) + "\n")
        for file in [*fresh.rglob("*"), fresh]:
            sync(file)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.replace(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_hosted(
    folder: Path, recipe: Recipe, network: nn.Module, *, task: TaskName, model_name: str, score: Mapping[str, Any]
) -> None:
    """Write a network as AutoML for Images does, and its weights as safetensors; `score` goes into the checkpoint."""
    artifacts = folder / "mlflow-model" / "artifacts"
    artifacts.mkdir(parents=True)
    checkpoint = recipe.checkpoint(network)
    state = OrderedDict(checkpoint["model_state"])
    try:
        torch.save({"model_name": model_name, **checkpoint, **score, "model_state": state}, artifacts / "model.pt")
        save_file(_unshared(state), folder / "model.safetensors")
    except (RuntimeError, SafetensorError) as error:  # how both say that the disk is full
        raise OSError(None, first_line(error), str(folder)) from None
    (artifacts / "settings.json").write_text(json.dumps(recipe.settings(), indent=2) + "\n")
    columns = json.dumps([{"name": name, "type": "string"} for name in _COLUMNS.get(task, ("boxes",))])
    (folder / "mlflow-model" / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"
        f"metadata:\n  azureml.automl.task: {task_named(task).hosted_name}\n"
        'signature:\n  inputs: \'[{"name": "image", "type": "binary"}]\'\n'
        f"  outputs: '{columns}'\n"
    )


def _unshared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as safetensors writes them: contiguous, and no two in the same memory."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in state.items():
        found[name] = tensor.clone() if tensor.untyped_storage().data_ptr() in seen else tensor.contiguous()
        seen.add(tensor.untyped_storage().data_ptr())
    return found
