"""Taking over: the tensors of one network into another one, with the rows of its head by the names of labels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.architecture.architecture import State
from models.labels import Label
from settings.excerpt import counted
from training.errors import TrainingError
from training.weights.heads import HeadLayout, head_layouts, same_labels
from training.weights.starting_weights import StartingWeights

_COUNTERS = "num_batches_tracked"  # of batch norms, which count again
_BODY = "backbone.body."  # a classifier inside a detector
_LEAST_TAKEN = 0.9  # of the values of a network or of its body, without the head
_SHOWN = 5

Adapt = Callable[[nn.Module, State], State]


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a network took over: names of tensors `taken`, and of those that start `fresh`.

    `labels` are those whose rows of the head were taken, in the order of the network; of the head's tensors with such
    rows, the rows of other labels start fresh.
    """

    taken: tuple[str, ...]
    fresh: tuple[str, ...]
    labels: tuple[Label, ...]

    def sentence(self, weights: StartingWeights) -> str:
        """Say it for the log, with the hash of the file."""
        fresh = f"; {_listed(self.fresh)} start fresh" if self.fresh else ""
        labels = f", the head for {_listed(tuple(map(str, self.labels)))}" if self.labels else ""
        count = f"{len(self.taken)} of {counted(len(self.taken) + len(self.fresh), 'tensor')}"
        return f"starts from {weights.source} (sha256 {weights.sha256}): {count}{labels}{fresh}"


def take_over(
    network: nn.Module, weights: StartingWeights, labels: Sequence[Label], adapt: Adapt | None = None
) -> Transfer:
    """Copy the tensors of `weights` that fit into `network`, in place, and say which.

    `labels` are those of the network, without a background. `adapt` is that of its architecture, which knows other
    names and resolutions of its tensors. A detector takes the weights of a classifier as its body, and the other way
    round. TrainingError where the weights are those of another network, so that nothing is changed.
    """
    own = network.state_dict()
    layouts = head_layouts(network, len(labels))
    state = max(_readings(network, weights.state, adapt), key=lambda reading: _values(_fitting(own, reading)))
    own = network.state_dict()  # adapting may have given the head another width
    fitting = _fitting(own, state)
    _check_fit(own, fitting, layouts, weights)
    rows = same_labels(labels, weights.labels) if weights.labels is not None else {}
    merged = {name: tensor for name, tensor in fitting.items() if name not in layouts}
    for name, layout in layouts.items():
        head = _head(own[name], state.get(name), layout, rows, weights)
        if head is not None:
            merged[name] = head
    _copy(network, merged)
    learned = [name for name in own if not name.endswith(_COUNTERS)]
    return Transfer(
        tuple(name for name in learned if name in merged),
        tuple(name for name in learned if name not in merged),
        tuple(labels[place] for place in sorted(rows)) if any(name in merged for name in layouts) else (),
    )


def _readings(network: nn.Module, state: State, adapt: Adapt | None) -> Iterator[State]:
    """Yield the tensors under the names that they may have in the network."""
    for reading in (
        state,
        {f"{_BODY}{name}": tensor for name, tensor in state.items()},
        {name.removeprefix(_BODY): tensor for name, tensor in state.items()},
    ):
        yield reading
        if adapt is not None:
            yield adapt(network, reading)


def _fitting(own: State, state: State) -> State:
    return {
        name: state[name]
        for name, tensor in own.items()
        if name in state
        and state[name].shape == tensor.shape
        and state[name].is_floating_point() == tensor.is_floating_point()
    }


def _values(state: State) -> int:
    return sum(tensor.numel() for name, tensor in state.items() if not name.endswith(_COUNTERS))


def _check_fit(own: State, fitting: State, layouts: dict[str, HeadLayout], weights: StartingWeights) -> None:
    """Raise TrainingError where the weights are those of another network."""
    body = [name for name in own if name.startswith(_BODY)]
    wanted = {name: own[name] for name in body or own if name not in layouts}
    taken = _values({name: tensor for name, tensor in fitting.items() if name in wanted})
    if taken < _LEAST_TAKEN * _values(wanted):
        missing = [name for name in wanted if name not in fitting and not name.endswith(_COUNTERS)]
        model = f", which are those of {weights.model_name}," if weights.model_name is not None else ""
        raise TrainingError(
            f"The weights in {weights.source}{model} do not fit this network: {len(wanted) - len(missing)} of "
            f"{counted(len(wanted), 'tensor')} of its body have the same name and shape; {_listed(missing)} are "
            "missing. Name weights of the same network, or train without them."
        )


def _head(
    own: Tensor, given: Tensor | None, layout: HeadLayout, rows: dict[int, int], weights: StartingWeights
) -> Tensor | None:
    """Return a tensor of the head with the rows that can be taken, or None where there are none."""
    if given is None or given.shape[1:] != own.shape[1:]:
        return None
    if weights.labels is None:  # nothing says which rows they are, so that only all of them can be meant
        return given if given.shape == own.shape else None
    if not rows or layout.labels_of(given) != len(weights.labels):
        return None
    return layout.merged(own, given, rows)


@torch.no_grad()
def _copy(network: nn.Module, state: State) -> None:
    # the copy converts halves to floats, and leaves the file that tensors are mapped from
    own: Any = network.state_dict()
    for name, tensor in state.items():
        own[name].copy_(tensor)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
