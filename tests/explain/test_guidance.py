import copy

import pytest
import torch
from captum.attr import GuidedBackprop
from torch import Tensor, nn
from torch.nn import functional as F

from explain.integration.noise import noisy_copies
from explain.network.guidance import Guidance
from tests.support.contract import contract
from tests.support.explain_networks import (
    attributions,
    difference,
    executor_of,
    inputs,
    parameters_for,
    seeded_executor,
)

PLAIN = "This network has no ReLU to guide: these are plain gradients."


def plain_gradient(network: nn.Module, target: int) -> Tensor:
    x = inputs().requires_grad_()
    return torch.autograd.grad(network(x)[0, target], x)[0][0]


def captums(network: nn.Module, target: int, x: Tensor | None = None) -> Tensor:
    # captum hooks the network it explains, so it gets one of its own
    x = (inputs() if x is None else x).requires_grad_()
    with pytest.warns(UserWarning, match="backward hooks"):
        result: Tensor = GuidedBackprop(copy.deepcopy(network)).attribute(x, target=target)
    return result


@pytest.mark.parametrize("name", ["resnet18", "resnest50"])
def test_equals_captum(name: str) -> None:
    executor = seeded_executor(name)
    for found in attributions(executor, parameters_for("guided_backprop"), 0, 3):
        assert difference(found.values, captums(executor.network, found.target)[0]) < 1e-5
        assert found.notes == ()


def test_noise_is_averaged() -> None:
    executor = seeded_executor()
    parameters = parameters_for("guided_backprop", noise_samples=2)
    (found,) = attributions(executor, parameters, 1)
    copies = torch.stack(noisy_copies(inputs()[0], parameters))
    assert difference(found.values, captums(executor.network, 1, copies).mean(0)) < 1e-5


@contract(
    "Explanations",
    "Guided backpropagation of mobilenetv2 is no such thing, as ReLU6 is not guided",
    "better",
    "it is guided",
)
def test_relu6_is_guided_but_can_be_left_as_captum_leaves_it() -> None:
    executor = seeded_executor("mobilenetv2")
    plain = plain_gradient(executor.network, 2)
    (left,) = attributions(executor, parameters_for("guided_backprop", guided_relu6=False), 2)
    assert difference(left.values, plain) < 1e-5
    assert left.notes == (PLAIN,)
    (guided,) = attributions(executor, parameters_for("guided_backprop"), 2)
    assert difference(guided.values, plain) > 0.1
    assert guided.notes == ()

    # captum guides the first half of what a ReLU6 does
    twin = copy.deepcopy(executor.network)
    for module in list(twin.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, name, nn.Sequential(nn.ReLU(), Ceiling()))
    assert difference(guided.values, captums(twin, 2)[0]) < 1e-5


class Ceiling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(max=6)


class Functional(nn.Module):
    """The same network with every spelling of ReLU."""

    def __init__(self, relu: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        match self.relu:
            case "module":
                x = nn.ReLU()(x)
            case "module in place":
                x = nn.ReLU(inplace=True)(x)
            case "functional":
                x = F.relu(x)
            case "torch":
                x = torch.relu(x)
            case "method":
                x = x.relu()
            case "in place":
                x.relu_()
            case "torch in place":
                torch.relu_(x)
            case "relu6":
                x = F.relu6(x)
            case "hardtanh":
                x = F.hardtanh(x, 0.0, max_val=6.0)
        result: Tensor = self.second(x).mean((2, 3))
        return result


SPELLINGS = (
    *("module", "module in place", "functional", "torch", "method"),
    *("in place", "torch in place", "relu6", "hardtanh"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_relu_is_guided(spelling: str) -> None:
    (found,) = attributions(executor_of(Functional(spelling)), parameters_for("guided_backprop"), 1)
    assert difference(found.values, captums(Module(), 1)[0]) < 1e-5


class Module(Functional):
    """With a ReLU that captum finds."""

    def __init__(self) -> None:
        super().__init__("")
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(self.act(self.first(x))).mean((2, 3))
        return result


def test_other_clamps_are_not_relus() -> None:
    with Guidance() as guidance:
        values = F.hardtanh(torch.tensor([-3.0, -0.5, 3.0]))
    assert values.tolist() == [-1, -0.5, 1]
    assert guidance.guided_relus == 0


def test_networks_without_relu_say_so() -> None:
    executor = seeded_executor("vits16r224", 64)
    (found,) = attributions(executor, parameters_for("guided_backprop"), 0)
    assert found.notes == (PLAIN,)
    assert difference(found.values, plain_gradient(executor.network, 0)) < 1e-5


def test_one_forward_pass_serves_guided_and_plain_gradients() -> None:
    executor = seeded_executor()
    x = inputs().requires_grad_()
    with Guidance() as guidance:
        output = executor.network(x)[0, 1]
    (plain,) = torch.autograd.grad(output, x, retain_graph=True)
    guidance.on = True
    (guided,) = torch.autograd.grad(output, x)
    assert difference(plain[0], plain_gradient(executor.network, 1)) < 1e-5
    assert difference(guided[0], captums(executor.network, 1)[0]) < 1e-5
