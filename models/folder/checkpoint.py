"""Checkpoint: what a file of weights holds, read without running code from it.

torch.load(weights_only=True) admits tensors and plain data. Real checkpoints also hold numpy scalars and arrays among
their metrics, so those few constructors are allowed; everything else is refused by name.
"""

import logging
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.architecture.architecture import State
from models.errors import ModelError, first_line
from models.folder.archive import refuse_archive
from models.folder.opened import WeightsFile

logger = logging.getLogger(__name__)

# The keys of a checkpoint of AutoML for Images that are used; optimizer state and metrics stay on disk
_AUTOML_KEYS = ("model_name", "number_of_classes", "specs", "model_state")
_WRAPPERS = ("model_state", "state_dict", "model_state_dict", "model")
_ZIP = b"PK\x03\x04"  # how the files start that torch.load can map into memory
_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a file of weights. The first three are None for a plain state dict."""

    model_name: str | None
    number_of_classes: int | None
    specs: Mapping[str, Any] | None
    state: State


def read_checkpoint(file: WeightsFile) -> Checkpoint:
    """Read a checkpoint of AutoML for Images, a plain state dict, or safetensors; ModelError for anything else.

    Tensors are mapped into memory where the format allows, and stay valid after the file is closed.
    """
    path = file.path
    refuse_archive(path, file.stream)
    if path.suffix == ".safetensors":
        return Checkpoint(None, None, None, _read_safetensors(file))
    content = _read_torch(file)
    if not isinstance(content, Mapping):
        raise ModelError(
            f"{path} holds a {type(content).__name__}; expected a checkpoint or a state dict. "
            "Save model.state_dict() instead of the model."
        )
    if all(key in content for key in _AUTOML_KEYS):
        return _automl_checkpoint(path, content)
    wrapped = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    return Checkpoint(None, None, None, _state(path, wrapped))


def _read_safetensors(file: WeightsFile) -> State:
    try:
        content = load_file(file.handle)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file.path} cannot be read as safetensors ({error}). Copy the file again.") from None
    return _state(file.path, content)


def _read_torch(weights: WeightsFile) -> Any:
    file = weights.path
    multiarray = import_module("numpy._core.multiarray")
    allowed: list[Any] = [
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")),
        *(type(np.dtype(kind)) for kind in ("c8", "c16", "U", "S")),
        # numpy renamed the module that old checkpoints refer to
        *(
            (getattr(multiarray, name), f"numpy.{package}.multiarray.{name}")
            for name in ("scalar", "_reconstruct")
            for package in ("core", "_core")
        ),
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            mapped = weights.starts_with(_ZIP)
            return torch.load(weights.handle, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        refused = re.search(r"(?:GLOBAL |but got <class ')([\w.]+)", str(error))
        if refused is None:
            raise ModelError(f"{file} is not a PyTorch checkpoint, or is damaged. Copy the file again.") from None
        raise ModelError(
            f"{file} holds an object of type {refused[1]}, which is refused because loading it could run code. "
            "Save a dict of model_name, number_of_classes, specs and model_state only, or a plain state dict."
        ) from None
    except Exception as error:  # a damaged archive raises almost any type
        if "TorchScript" in str(error):
            raise ModelError(f"{file} is a TorchScript archive. Save model.state_dict() of the original.") from None
        logger.debug("torch.load failed", exc_info=True)
        reason = first_line(error)
        raise ModelError(f"{file} is damaged or incomplete ({reason}). Copy the file again.") from None


def _automl_checkpoint(file: Path, content: Mapping[str, Any]) -> Checkpoint:
    name, classes, specs = content["model_name"], content["number_of_classes"], content["specs"]
    if not isinstance(name, str) or not isinstance(specs, Mapping):
        raise ModelError(
            f"{file}: model_name is {name!r} and specs a {type(specs).__name__}; expected a text and a dict."
        )
    classes = classes.tolist() if hasattr(classes, "tolist") else classes
    if not isinstance(classes, int) or classes < 1:
        raise ModelError(f"{file}: number_of_classes is {classes!r}; expected a whole number of at least 1.")
    return Checkpoint(name, classes, specs, _state(file, content["model_state"]))


def _state(file: Path, content: Any) -> State:
    tensors = content.items() if isinstance(content, Mapping) else ()
    if not tensors or not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors):
        raise ModelError(f"{file} holds no state dict: expected names of tensors. Save model.state_dict().")
    return OrderedDict((_bare(name), tensor) for name, tensor in tensors)


def _bare(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.partition(".")[2]
    return name
