"""State files: tensors and plain values in one file without code, which is replaced whole or not at all."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.errors import TrainingError

_VALUES = "values"
_OF_SAFETENSORS = re.compile(r"\.tmp\w{6}")  # what it writes before it renames


def save_state(file: Path, state: Mapping[str, Any]) -> None:
    """Write nested dicts and lists of tensors, numbers, texts and None; the file is complete or the old one stays.

    OSError where the disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    values = _without_tensors(state, "", tensors)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replaced(file) as fresh:
        try:
            save_file(tensors, fresh, {_VALUES: json.dumps(values)})
        except SafetensorError as error:
            raise OSError(None, str(error), str(file)) from None


def load_state(file: Path) -> dict[str, Any]:
    """Read what `save_state` wrote, tensors on the CPU; TrainingError where the file is damaged."""
    try:
        with safe_open(file, "pt") as stored:
            values = json.loads(stored.metadata()[_VALUES])
            names = stored.keys()
            loaded: dict[str, Any] = _with_tensors(values, {name: stored.get_tensor(name) for name in names})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{file} is damaged ({error}). Remove the folder of the run to start anew.") from None
    return loaded


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """Yield a temporary name to write; at the end of the `with` block that file takes the place of `file`."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield fresh
        sync(fresh)
        fresh.replace(file)
        sync(file.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(file)) from None
    finally:
        fresh.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that were killed as they wrote have left of `replaced` and of safetensors in a folder."""
    for file in folder.glob(".*"):
        if file.suffix[1:].isdigit() or _OF_SAFETENSORS.fullmatch(file.name):
            file.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors in `value` to `tensors` by their path, and leave {"tensor": path} in their places."""
    if isinstance(value, Tensor):
        # Contiguous, and nobody else's: safetensors refuses memory that two tensors share
        tensors[name] = value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"items": [[key, _without_tensors(each, f"{name}/{key}", tensors)] for key, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"list": [_without_tensors(each, f"{name}/{index}", tensors) for index, each in enumerate(value)]}
    return {"value": value}


def _with_tensors(stored: Any, tensors: Mapping[str, Tensor]) -> Any:
    ((kind, content),) = stored.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "items":
        return {key: _with_tensors(each, tensors) for key, each in content}
    if kind == "list":
        return [_with_tensors(each, tensors) for each in content]
    return content
