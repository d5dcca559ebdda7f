"""What an engine tells HTTP processes about its model: what it can explain, what computes it, also after a change."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
from torch import nn

from explain.catalog import algorithm_names
from models.architecture.cam_layer import last_convolution
from models.architecture.catalog import classifier_architecture
from models.classifier import Classifier
from models.loaded import LoadedModel, load_classifier
from server.engine.startup.loading import facts_of
from server.engine.startup.runtime_choice import tune
from server.ipc.model_facts import ModelFacts
from settings.server import ServerSettings


@pytest.fixture(scope="module")
def model(fridge_folder: Path) -> Classifier:
    return load_classifier(fridge_folder)


def test_a_network_with_layers_for_them_offers_grad_cam_and_layercam(model: Classifier) -> None:
    assert [each.name for each in facts_of(model).algorithms] == [
        name for name in algorithm_names("classifier") if name != "attention"
    ]
    architecture = replace(model.architecture, cam_layer=last_convolution)
    definition = replace(model.definition, architecture=architecture)
    flat = replace(model, definition=definition, network=nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 4)))
    offered = [each.name for each in facts_of(flat).algorithms]
    reading = {"attention", "gradcam", "guided_gradcam", "layercam"}  # layers of the network
    assert offered == [name for name in algorithm_names("classifier") if name not in reading]


def test_a_transformer_offers_its_attention_instead_of_layercam(model: Classifier) -> None:
    definition = replace(model.definition, architecture=classifier_architecture("vits16r224"))
    transformer = replace(model, definition=definition, network=timm.create_model("test_vit", img_size=64))
    offered = {each.name for each in facts_of(transformer).algorithms}
    assert {"attention", "gradcam", "xrai"} <= offered
    assert "layercam" not in offered


def test_they_are_the_same_after_their_way_as_json(model: Classifier) -> None:
    facts = facts_of(model)
    assert ModelFacts.of(json.loads(json.dumps(facts.fields()))) == facts
    assert (facts.device, facts.runtime, facts.precision) == ("cpu", "eager", "fp32")


def test_a_runtime_that_is_adopted_is_told_once_it_computes(model: Classifier) -> None:
    done: list[str] = []
    faster = model.with_runtime("faster", model.graph)

    def find(sizes: Sequence[int], adopt: Callable[[LoadedModel, Any], None], before_each: object) -> None:
        adopt(faster, [(1, 0.01)])

    tuner: Any = SimpleNamespace(tune=find)
    pipeline: Any = SimpleNamespace(replace_model=lambda new, limits, costs: done.append(f"computes {new.runtime}"))
    tune(tuner, [1], pipeline, ServerSettings(), lambda new: done.append(f"told {facts_of(new).runtime}"))
    assert done == ["computes faster", "told faster"]
