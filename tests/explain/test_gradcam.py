import copy
from typing import Any

import pytest
import torch
from captum.attr import GuidedGradCam, LayerAttribution, LayerGradCam
from torch import Tensor
from torch.nn import functional as F

from explain.errors import ExplanationError
from explain.network.executor import Executor
from models.architecture.cam_layer import CamLayer
from tests.support.explain_networks import (
    SIDE,
    attributions,
    difference,
    executor_of,
    inputs,
    parameters_for,
    seeded_executor,
)
from tests.support.folders.checkpoints import SOURCES, seeded_network

# the large ones differ from the small ones in depth alone
ARCHITECTURES = [name for name in SOURCES if name not in ("resnet101", "resnet152", "resnest101", "vitl16r224")]
CONVOLUTIONAL = ["resnet18", "mobilenetv2", "seresnext"]


@pytest.mark.parametrize("name", CONVOLUTIONAL)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_equals_captum(name: str, interpolation: str) -> None:
    executor = seeded_executor(name)
    network = copy.deepcopy(executor.network)
    layer = network.get_submodule(executor.required_cam_layer().name)
    for found in attributions(executor, parameters_for("gradcam", interpolation=interpolation), 0, 2):
        coarse = LayerGradCam(network, layer).attribute(inputs(), target=found.target, relu_attributions=True)
        expected = LayerAttribution.interpolate(coarse, (SIDE, SIDE), interpolation)
        if expected.any():
            assert difference(found.values, expected[0, 0]) < 1e-5
            assert found.notes == ()
        else:
            assert not found.values.any()
            assert found.notes == ("No place in the picture speaks for this target.",)


def test_guided_gradcam_equals_captum() -> None:
    executor = seeded_executor()
    network = copy.deepcopy(executor.network)
    for found in attributions(executor, parameters_for("guided_gradcam", interpolation="nearest"), 1, 3):
        with pytest.warns(UserWarning, match="backward hooks"):
            expected = GuidedGradCam(network, network.get_submodule("layer4.1")).attribute(
                inputs().requires_grad_(), target=found.target
            )
        assert difference(found.values, expected[0]) < 1e-5


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_maps(name: str) -> None:
    found = attributions(seeded_executor(name), parameters_for("gradcam"), 0, 1, 2, 3)
    assert all(one.values.shape == (SIDE, SIDE) and one.values.dtype == torch.float32 for one in found)
    assert all(bool(torch.isfinite(one.values).all()) and float(one.values.min()) >= 0 for one in found)
    assert any(one.values.any() for one in found)
    assert len({one.values.sum().item() for one in found if one.values.any()}) > 1 or name in CONVOLUTIONAL


def test_a_transformer_is_read_before_its_last_block() -> None:
    executor = seeded_executor("vits16r224")
    (found,) = attributions(executor, parameters_for("gradcam", interpolation="nearest"), 1)
    network: Any = executor.network
    tokens = network.patch_embed(inputs())
    tokens = network.norm_pre(network._pos_embed(tokens))
    for block in list(network.blocks)[:-1]:
        tokens = block(tokens)
    tokens = tokens.detach().requires_grad_()
    output = network.forward_head(network.norm(network.blocks[-1](tokens)))[0, 1]
    (gradients,) = torch.autograd.grad(output, tokens)
    weights = gradients[0, 1:].mean(0)
    coarse = (tokens[0, 1:] @ weights).clamp_min(0).detach().reshape(4, 4)
    expected = F.interpolate(coarse[None, None], size=(SIDE, SIDE), mode="nearest")[0, 0]
    assert difference(found.values, expected) < 1e-5


def at(layer: CamLayer) -> Executor:
    return executor_of(seeded_network("resnet18", 4, SIDE), cam_layer=lambda network: layer)


def test_a_layer_before_work_in_place_is_read_as_it_was() -> None:
    # the ReLU after this norm overwrites what the norm returned
    executor = at(CamLayer("layer4.1.bn1"))
    network = copy.deepcopy(executor.network)
    (found,) = attributions(executor, parameters_for("gradcam", interpolation="nearest"), 0)
    for module in network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    coarse = LayerGradCam(network, network.get_submodule("layer4.1.bn1")).attribute(
        inputs(), target=0, relu_attributions=True
    )
    assert difference(found.values, LayerAttribution.interpolate(coarse, (SIDE, SIDE))[0, 0]) < 1e-5


def test_a_layer_without_places_cannot_be_read() -> None:
    with pytest.raises(ExplanationError, match=r"layer fc makes \(4,\) of each picture, which is no grid"):
        attributions(at(CamLayer("fc")), parameters_for("gradcam"), 0)


def test_a_layer_that_does_not_run_cannot_be_read() -> None:
    executor = at(CamLayer("layer4.1"))
    executor.network.get_submodule("layer4").forward = lambda x: x.new_zeros(len(x), 512, 2, 2)
    with pytest.raises(ExplanationError, match="does not call its BasicBlock as a module"):
        attributions(executor, parameters_for("gradcam"), 0)


@pytest.mark.parametrize("algorithm", ["gradcam", "guided_gradcam"])
def test_a_network_without_a_layer_is_refused_before_any_work(algorithm: str) -> None:
    def counted(x: Tensor) -> Tensor:
        raise AssertionError("it ran")

    executor = executor_of(torch.nn.Flatten())
    executor.network.forward = counted
    with pytest.raises(ExplanationError, match=r"has no deep convolution.*Use xrai") as caught:
        attributions(executor, parameters_for(algorithm), 0)
    assert caught.value.code == "algorithm_unsupported"
