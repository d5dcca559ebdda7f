"""Building: fits the tensors of a checkpoint into the network of an architecture."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from models.architecture.architecture import Architecture, State
from models.errors import ModelError
from settings.model import ModelSettings

_INITIALIZERS = (Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.random_, Tensor.bernoulli_)


def build_network(
    architecture: Architecture, classes: int, settings: ModelSettings, state: State, file: Path
) -> nn.Module:
    """Build the architecture in evaluation mode with the tensors of `state` as its weights, in float32.

    ModelError names missing, unexpected and wrongly shaped tensors.
    """
    if architecture.load is not None:
        return architecture.load(state, file).eval().requires_grad_(False)

    def filled(device: str) -> nn.Module:
        with torch.device(device), _SkipInit():
            network = architecture.build(classes, settings)
        _fill(network, architecture.adapt(network, state), file)
        return network

    try:
        # the meta device allocates and initialises nothing: a large transformer is built in 0.1 s instead of 6 s
        network = filled("meta")
        complete = not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))
    except (RuntimeError, NotImplementedError):
        complete = False
    if not complete:  # the constructor computes values, or the network has buffers outside its state dict
        network = filled("cpu")
    return network.eval().requires_grad_(False)


class _SkipInit(TorchFunctionMode):
    """Skips the initialisation of weights, all of which the state dict replaces.

    On the meta device, PyTorch would import its compiler for it; on a CPU it would take a second for a large network.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in _INITIALIZERS and (args[0].is_meta or isinstance(args[0], nn.Parameter)):
            return args[0]
        return func(*args, **(kwargs or {}))


def _fill(network: nn.Module, state: State, file: Path) -> None:
    wanted = network.state_dict()
    # frozen or exported batch norms have no step counters, and scoring needs none
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
    # copied, as the file is mapped into memory: overwriting it would change or kill a running server
    owned = OrderedDict((name, tensor.to(wanted[name].dtype, copy=True)) for name, tensor in state.items())
    # some networks check which version of their code saved the tensors; tensors that fit are of this version
    owned._metadata = wanted._metadata  # type: ignore[attr-defined]
    network.load_state_dict(owned, assign=True)


def refuse_misfits(file: Path, problems: Mapping[str, Sequence[str]]) -> None:
    """Raise ModelError where there are problems: by their kind, names of tensors or sentences about them."""
    described = [
        f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for kind, names in problems.items()
        if names
    ]
    if described:
        raise ModelError(
            f"The tensors of {file} do not fit the architecture: {'; '.join(described)}. "
            "Check the architecture's name and the number of classes."
        )
