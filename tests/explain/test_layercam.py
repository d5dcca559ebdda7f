"""LayerCAM against torchcam, the layers that it reads, and how their maps are joined."""

import copy
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional
from torchcam.methods import LayerCAM
from torchvision.models import get_model

from explain.errors import ExplanationError
from explain.network.executor import Executor
from models.architecture.cam_layer import CamLayer, earlier_cam_layers, last_convolution
from tests.support.explain_networks import (
    SIDE,
    attributions,
    difference,
    executor_of,
    inputs,
    parameters_for,
    seeded_executor,
)
from tests.support.folders.checkpoints import seeded_network


def torchcams(executor: Executor, names: list[str | nn.Module], target: int) -> list[torch.Tensor]:
    """The maps of torchcam, [h, w] each, not normalised."""
    network = copy.deepcopy(executor.network)
    with LayerCAM(network, target_layer=names) as reader:
        scores = network(inputs().requires_grad_())
        return [heat[0].detach() for heat in reader(target, scores, normalized=False)]


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2", "seresnext"])
def test_equals_torchcam(name: str) -> None:
    executor = seeded_executor(name)
    layers: list[str | nn.Module] = [layer.name for layer in executor.required_cam_layers()]
    assert len(layers) == 4
    for found in attributions(executor, parameters_for("layercam"), 0, 2):
        coarse = torchcams(executor, layers, found.target)
        joined = torch.zeros(SIDE, SIDE)
        for heat in coarse:
            enlarged = functional.interpolate(heat[None, None], (SIDE, SIDE), mode="bilinear")[0, 0]
            joined = joined.maximum(enlarged / max(float(heat.max()), 1e-12))
        assert joined.any()
        assert difference(found.values, joined) < 1e-4
        assert 0 <= float(found.values.min()) < float(found.values.max()) <= 1


def test_one_layer_is_its_own_map() -> None:
    torch.manual_seed(1)
    executor = executor_of(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), Mean()))
    assert [layer.name for layer in executor.required_cam_layers()] == ["2"]
    (found,) = attributions(executor, parameters_for("layercam", interpolation="nearest"), 1)
    (coarse,) = torchcams(executor, ["2"], 1)
    assert coarse.any()
    expected = functional.interpolate(coarse[None, None] / coarse.max(), (SIDE, SIDE), mode="nearest")[0, 0]
    assert difference(found.values, expected) < 1e-5


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


LAYERS = {
    "torchvision/vgg11": ["features.4", "features.9", "features.14"],
    "torchvision/densenet121": ["features.denseblock1", "features.denseblock2", "features.denseblock3"],
    "torchvision/convnext_tiny": ["features.1", "features.3", "features.5"],
    "torchvision/efficientnet_b0": ["features.2", "features.3", "features.5"],
    "torchvision/mnasnet0_5": ["layers.8", "layers.9", "layers.11"],
    "torchvision/shufflenet_v2_x0_5": ["maxpool", "stage2", "stage3"],
    "timm/resnet50": ["layer1", "layer2", "layer3"],
    "timm/convnext_atto": ["stages.0", "stages.1", "stages.2"],
    "timm/efficientnet_b0": ["blocks.1", "blocks.2", "blocks.4"],
    "timm/regnety_002": ["s1", "s2", "s3"],
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_layers_before_each_smaller_one_are_read(name: str) -> None:
    library, _, bare = name.partition("/")
    with torch.device("meta"):
        network: Any = get_model(bare) if library == "torchvision" else timm.create_model(bare)
    found = [layer.name for layer in earlier_cam_layers(network, last_convolution(network))]
    assert found == LAYERS[name]


def test_a_layer_that_makes_no_maps_is_left_out() -> None:
    network = seeded_network("resnet18", 4, SIDE)
    network.layer2 = Pair(network.get_submodule("layer2"))
    network.layer3 = Second(network.get_submodule("layer3"))
    executor = executor_of(network, cam_layer=lambda network: CamLayer("layer4.1"))
    assert [layer.name for layer in executor.required_cam_layers()] == ["layer1", "layer2", "layer3", "layer4.1"]
    (found,) = attributions(executor, parameters_for("layercam"), 0)
    (every,) = attributions(seeded_executor(), parameters_for("layercam"), 0)
    assert difference(found.values, every.values) > 0.01


class Pair(nn.Module):
    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, self.stage(x)


class Second(Pair):
    def forward(self, pair: Any) -> Any:
        return self.stage(pair[1])


def test_a_transformer_is_referred_to_its_attention() -> None:
    with pytest.raises(ExplanationError, match="Use attention or gradcam") as caught:
        attributions(seeded_executor("vits16r224"), parameters_for("layercam"), 0)
    assert caught.value.code == "algorithm_unsupported"
