from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.architecture.architecture import ClassifierArchitecture
from models.architecture.building import build_network
from models.architecture.cam_layer import last_convolution
from models.errors import ModelError
from settings.model import ClassificationSettings


class Net(nn.Module):
    """A batch norm, a linear layer and, on request, a buffer that is computed and not part of a state dict."""

    def __init__(self, classes: int, *, hidden: bool = False, computing: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)
        self.head = nn.Linear(5, classes)
        if hidden:
            self.register_buffer("scale", torch.arange(1, 6).float(), persistent=False)
        if computing:
            self.factor = torch.linspace(0, 2, 3).sum().item()  # has no value on the meta device

    def forward(self, values: Tensor) -> Tensor:
        scores: Tensor = self.head(self.norm(values) * getattr(self, "scale", 1) * getattr(self, "factor", 1))
        return scores


def architecture(**options: bool) -> ClassifierArchitecture:
    return ClassifierArchitecture(
        "net", build=lambda classes, settings: Net(classes, **options), cam_layer=last_convolution
    )


def seeded_state(classes: int = 2) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(3)
    state = Net(classes).state_dict()
    return OrderedDict(
        (name, torch.rand(tensor.shape, generator=random) if tensor.is_floating_point() else tensor)
        for name, tensor in state.items()
    )


STATE = seeded_state()


def assert_is_state(state: dict[str, Tensor]) -> None:
    assert list(state) == list(STATE)
    for name, tensor in STATE.items():
        assert torch.equal(state[name], tensor), name


def built(state: dict[str, Tensor], **options: bool) -> nn.Module:
    return build_network(architecture(**options), 2, ClassificationSettings(), state, Path("model.pt"))


@pytest.mark.parametrize("options", [{}, {"hidden": True}, {"computing": True}], ids=["plain", "hidden", "computing"])
def test_a_network_computes_what_its_origin_computes(options: dict[str, bool]) -> None:
    origin = Net(2, **options).eval()
    origin.load_state_dict(STATE)
    network = built(STATE, **options)
    inputs = torch.rand(4, 5, generator=torch.Generator().manual_seed(4))
    assert torch.equal(network(inputs), origin(inputs))
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def test_a_network_is_for_evaluation_only() -> None:
    network = built(STATE)
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_weights_of_any_precision_become_float32(dtype: torch.dtype) -> None:
    network = built({name: tensor.to(dtype) for name, tensor in STATE.items()})
    for name, tensor in network.state_dict().items():
        expected = STATE[name].to(dtype).to(STATE[name].dtype)
        assert tensor.dtype == STATE[name].dtype
        assert torch.equal(tensor, expected), name


def test_counters_of_batch_norms_may_be_missing() -> None:
    network = built({name: tensor for name, tensor in STATE.items() if not name.endswith("num_batches_tracked")})
    assert_is_state(network.state_dict())


def test_weights_are_copied() -> None:
    state = {name: tensor.clone() for name, tensor in STATE.items()}
    network = built(state)
    for tensor in state.values():
        tensor.zero_()
    assert_is_state(network.state_dict())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({key: STATE[key] for key in STATE if "norm" not in key}, "4 missing (norm.bias, norm.running_mean, norm.r"),
        (STATE | {"tail.bias": STATE["head.bias"]}, "1 unexpected (tail.bias)"),
        (seeded_state(3), "2 of another shape (head.weight is [3, 5], expected [2, 5], head.bias is [3], expected [2]"),
        (STATE | {"head.bias": torch.zeros(2, dtype=torch.int8)}, "1 not of floating point (head.bias is int8)"),
        (STATE | {"head.bias": torch.zeros(2, dtype=torch.complex64)}, "(head.bias is complex64)"),
    ],
    ids=["missing", "unexpected", "shape", "whole numbers", "complex numbers"],
)
def test_tensors_that_do_not_fit_are_named(state: dict[str, Tensor], words: str) -> None:
    for options in ({}, {"hidden": True}, {"computing": True}):
        with pytest.raises(ModelError) as caught:
            built(state, **options)
        assert str(caught.value).startswith("The tensors of model.pt do not fit the architecture: ")
        assert words in str(caught.value)
        assert "Check the architecture's name and the number of classes." in str(caught.value)
