"""A model folder brought to a device, ready to score: a Classifier or a Detector, by its architecture."""

from pathlib import Path

import torch
from torch import nn

from models.architecture.architecture import DetectorArchitecture
from models.assembly import assemble
from models.classifier import Classifier, classifier_graph
from models.definition import Definition
from models.detector import Detector
from models.errors import ModelError
from models.runtime.precision import FP32, PRECISIONS, Precision, disable_tf32
from models.runtime.runtime import EAGER, ComputeOptions, Graph, GraphSource
from models.runtimes.eager import RUNTIME

LoadedModel = Classifier | Detector


def load(path: Path, *, device: str = "cpu", precision: str = "fp32", strict: bool = False) -> LoadedModel:
    """Assemble the model in `path`, bring it to a device and score an example.

    `device` is "cpu", "cuda", "cuda:N", or "auto" for a GPU if there is one. ModelError or SettingsError where the
    model cannot be served.
    """
    definition, network = assemble(path, strict=strict)
    target = _device(device)
    arithmetic = PRECISIONS[precision]
    if arithmetic.needs_gpu and target.type == "cpu":
        raise ModelError(f"Precision {precision} needs a GPU, but the device is cpu. Use fp32 or bf16.")
    disable_tf32()
    network = network.to(target).to(memory_format=torch.channels_last)
    eager = RUNTIME.load(_graph_source(definition, network, arithmetic), None, ComputeOptions(target, arithmetic))
    kind = Detector if isinstance(definition.architecture, DetectorArchitecture) else Classifier
    loaded = kind(definition, network, target, arithmetic, eager)
    loaded.smoke_test()
    return loaded


def load_without_weights(path: Path, graph: Graph, *, precision: str, runtime: str, strict: bool) -> Classifier:
    """Assemble the classifier in `path` for a process without a device, whose `graph` asks another one to compute.

    That other process has verified the files. ModelError or SettingsError where the model cannot be served.
    """
    definition, network = assemble(path, verified=True, strict=strict)
    return Classifier(definition, network.to("meta"), torch.device("meta"), PRECISIONS[precision], graph, runtime)


def reference_model(model: LoadedModel) -> LoadedModel:
    """Return the same model with eager scores in fp32, the reference for other runtimes and precisions."""
    if model.precision.full and model.runtime == EAGER:
        return model
    options = ComputeOptions(model.device, FP32)
    return model.with_runtime(EAGER, RUNTIME.load(_graph_source(model.definition, model.network, FP32), None, options))


def _graph_source(definition: Definition, network: nn.Module, precision: Precision) -> GraphSource:
    if isinstance(definition.architecture, DetectorArchitecture):
        return definition.architecture.adapter.graph_source(network, precision)
    return classifier_graph(definition.preprocess, network)


def load_classifier(path: Path, *, device: str = "cpu", precision: str = "fp32", strict: bool = False) -> Classifier:
    """Load as `load` does, for callers that need probabilities; ModelError where the model has none."""
    model = load(path, device=device, precision=precision, strict=strict)
    if not isinstance(model, Classifier):
        raise ModelError(f"{path} holds a model for {model.definition.task.name}; expected one that classifies.")
    return model


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not name.startswith("cuda"):
        return torch.device(name)
    count = torch.cuda.device_count()
    device = torch.device(name)
    if (device.index or 0) >= count:
        raise ModelError(f"The device {name} does not exist: PyTorch sees {count} GPUs. Use cpu, or mend the driver.")
    return device
