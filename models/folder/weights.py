"""Reads checkpoints without running code from them, and fits their tensors into a network.

torch.load(weights_only=True) admits tensors and plain data. Real checkpoints also hold numpy scalars and arrays among
their metrics, so those few constructors are allowed; everything else is refused by name.
"""

import logging
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from models.architecture.architecture import Architecture, State
from models.errors import ModelError, first_line
from models.folder.layout import shards
from settings.model import ModelSettings

logger = logging.getLogger(__name__)

# The keys a checkpoint of AutoML for Images is read for; optimizer state and metrics are left on disk
_AUTOML_KEYS = ("model_name", "number_of_classes", "specs", "model_state")
_WRAPPERS = ("model_state", "state_dict", "model_state_dict", "model")
_DRAWING = (Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.random_, Tensor.bernoulli_)
_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file of weights holds. The first three are None for a plain state dict."""

    model_name: str | None
    number_of_classes: int | None
    specs: Mapping[str, Any] | None
    state: State


def read_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint of AutoML for Images, a plain state dict, safetensors, or the index of several of those.

    ModelError otherwise.
    """
    if parts := shards(file):
        return Checkpoint(None, None, None, {k: v for part in parts for k, v in _part(part, file).items()})
    if file.suffix == ".safetensors":
        return Checkpoint(None, None, None, _read_safetensors(file))
    content = _read_torch(file)
    if not isinstance(content, Mapping):
        raise ModelError(
            f"{file} holds a {type(content).__name__}; expected a checkpoint or a state dict. "
            "Save model.state_dict() instead of the model."
        )
    if all(key in content for key in _AUTOML_KEYS):
        return _automl_checkpoint(file, content)
    wrapped = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    return Checkpoint(None, None, None, _state(file, wrapped))


def _part(part: Path, index: Path) -> State:
    if not part.is_file():
        raise ModelError(f"{part} is not there, although {index.name} lists it. Copy the whole folder again.")
    return read_checkpoint(part).state


def build_network(
    architecture: Architecture, classes: int, settings: ModelSettings, state: State, file: Path
) -> nn.Module:
    """Build the architecture in evaluation mode with the tensors of `state` as its weights, in float32.

    ModelError names missing, unexpected and wrongly shaped tensors.
    """
    if architecture.load is not None:
        return architecture.load(state, file).eval().requires_grad_(False)

    def filled(device: str) -> nn.Module:
        with torch.device(device), _Undrawn():
            network = architecture.build(classes, settings)
        _fill(network, architecture.adapt(network, state), file)
        return network

    try:
        # Nothing is drawn or allocated on the meta device: a large transformer is built in 0.1 s instead of 6 s
        network = filled("meta")
        complete = not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))
    except (RuntimeError, NotImplementedError):
        complete = False
    if not complete:  # a constructor that computes values, or buffers that are not part of a state dict
        network = filled("cpu")
    return network.eval().requires_grad_(False)


class _Undrawn(TorchFunctionMode):
    """Draws no values on the meta device, where PyTorch would import its compiler only to find that there are none."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in _DRAWING and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


def _fill(network: nn.Module, state: State, file: Path) -> None:
    wanted = network.state_dict()
    # frozen or exported batch norms carry no step counters, and scoring needs none
    counters = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    state = counters | state
    wrong = [
        f"{name} is {list(state[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    mistyped = [
        f"{name} is {str(state[name].dtype).removeprefix('torch.')}"
        for name, tensor in wanted.items()
        if name in state and tensor.is_floating_point() and not state[name].is_floating_point()
    ]
    missing, unexpected = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    refuse_misfits(
        file,
        {"missing": missing, "unexpected": unexpected, "of another shape": wrong, "not of floating point": mistyped},
    )
    # copied, because the file is mapped into memory: overwriting it would change or kill a running server
    owned = OrderedDict((name, tensor.to(wanted[name].dtype, copy=True)) for name, tensor in state.items())
    # some networks ask which version of their code saved the tensors; those that fit here are of this version
    owned._metadata = wanted._metadata  # type: ignore[attr-defined]
    network.load_state_dict(owned, assign=True)


def refuse_misfits(file: Path, problems: Mapping[str, Sequence[str]]) -> None:
    """Raise ModelError where there are tensors with problems: names, or sentences about them, by kind of problem."""
    told = [
        f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for kind, names in problems.items()
        if names
    ]
    if told:
        raise ModelError(
            f"The tensors of {file} do not fit the architecture: {'; '.join(told)}. "
            "Check the architecture's name and the number of classes."
        )


def _read_safetensors(file: Path) -> State:
    try:
        content = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file} cannot be read as safetensors ({error}). Copy the file again.") from None
    return _state(file, content)


def _read_torch(file: Path) -> Any:
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
            return torch.load(file, map_location="cpu", weights_only=True, mmap=_is_zip(file))
    except pickle.UnpicklingError as error:
        refused = re.search(r"(?:GLOBAL |but got <class ')([\w.]+)", str(error))
        if refused is None:
            raise ModelError(f"{file} is not a PyTorch checkpoint, or is damaged. Copy the file again.") from None
        raise ModelError(
            f"{file} holds an object of type {refused[1]}, which is refused because loading it could run code. "
            "Save a dict of model_name, number_of_classes, specs and model_state only, or a plain state dict."
        ) from None
    except Exception as error:  # a damaged archive surfaces as almost any type
        if "TorchScript" in str(error):
            raise ModelError(f"{file} is a TorchScript archive. Save model.state_dict() of the original.") from None
        logger.debug("torch.load failed", exc_info=True)
        reason = first_line(error)
        raise ModelError(f"{file} is damaged or incomplete ({reason}). Copy the file again.") from None


def _is_zip(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


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
