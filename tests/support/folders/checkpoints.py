"""Builds small model folders with seeded weights, as AutoML for Images and as plain libraries leave them.

Networks come from torchvision and timm alone, never through the product's catalog, so that tests can hold what the
product loads against them.
"""

import json
import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model

from tests.support.images import painted

LABELS = ("can", "carton", "milk_bottle", "water_bottle")

# what the name in a checkpoint stands for
SOURCES = {
    **{name: f"torchvision/{name}" for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")},
    "mobilenetv2": "torchvision/mobilenet_v2",
    "seresnext": "timm/legacy_seresnext50_32x4d",
    "resnest50": "timm/resnest50d",
    "resnest101": "timm/resnest101e",
    "vits16r224": "timm/vit_small_patch16_224",
    "vitb16r224": "timm/vit_base_patch16_224",
    "vitl16r224": "timm/vit_large_patch16_224",
}

# the inputs of the signature that training writes
SIGNATURE: Sequence[Mapping[str, Any]] = ({"name": "image", "type": "binary"},)

TIMM_TRAINED: dict[str, Any] = {
    "input_size": [3, 64, 64],
    "crop_pct": 0.9,
    "crop_mode": "center",
    "interpolation": "bicubic",
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.25, 0.3],
}
TIMM_CONFIG: dict[str, Any] = {
    "architecture": "resnet10t",
    "num_classes": 3,
    "label_names": ["a", "b", "c"],
    "pretrained_cfg": TIMM_TRAINED,
}

Layout = Literal["mlflow-model", "artifacts", "outputs", "run", "train_artifacts", "bare"]
Sizes = tuple[int, int]  # resize, crop


def build(name: str, classes: int, crop: int) -> nn.Module:
    """Build the network that checkpoints call `name`, or `torchvision/NAME` or `timm/NAME`, with any weights."""
    library, _, bare = SOURCES.get(name, name).partition("/")
    if library == "torchvision":
        network: nn.Module = get_model(bare, weights=None, num_classes=classes)
        return network
    import timm  # takes a second to import; only those who need it wait

    sized: dict[str, Any] = {"img_size": crop} if name.startswith("vit") else {}
    return timm.create_model(bare, num_classes=classes, **sized)


def seeded_network(name: str = "resnet18", classes: int = 4, crop: int = 224, seed: int = 0) -> nn.Module:
    """Build a network in evaluation mode whose seeded weights score different images clearly differently."""
    with torch.device("meta"):
        network = build(name, classes, crop)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    if any(not name.endswith(statistics) for name, _ in network.named_buffers()):  # others hold computed values
        with torch.random.fork_rng(devices=[]):
            network = build(name, classes, crop)
    else:
        network.to_empty(device="cpu")
    network.eval()
    with torch.no_grad():
        _draw_weights(network, torch.Generator().manual_seed(seed))
        _calibrate(network, crop)
    return network


def normalised(pixels: Sequence[np.ndarray[Any, Any]]) -> Tensor:
    """Turn uint8 [H, W, 3] images into float32 [N, 3, H, W] with ImageNet's statistics."""
    values = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (values - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


def automl_checkpoint(
    state: Mapping[str, Tensor],
    *,
    name: str = "resnet18",
    labels: Sequence[str] = LABELS,
    multilabel: bool = False,
    sizes: Sizes = (256, 224),
) -> dict[str, Any]:
    """Wrap a state dict as training does, with everything that loading has to tolerate and to ignore."""
    count = len(labels)
    return {
        "epoch": 14,
        "model_name": name,
        "number_of_classes": count,
        "specs": {"multilabel": multilabel, "model_settings": model_settings(sizes), "labels": list(labels)},
        "model_state": state,
        "optimizer_state": {
            "state": {0: {"momentum_buffer": torch.zeros(3)}},
            "param_groups": [{"lr": 0.005, "momentum": 0.9, "nesterov": True, "foreach": None, "params": [0]}],
        },
        "lr_scheduler_state": {"base_lrs": [0.005], "last_epoch": 15, "_last_lr": [1e-4], "lr_lambdas": [None]},
        "score": np.float64(0.9375),
        "metrics": OrderedDict(
            accuracy=np.float32(0.9375),
            epochs=np.int64(15),
            early_stopped=np.bool_(False),
            average_precision=OrderedDict((label, np.float64(0.5)) for label in labels),
            confusion_matrix=np.eye(count, dtype=np.int64),
            per_label=np.linspace(0, 1, count, dtype=np.float32),
            labels=np.array(labels),
        ),
    }


def model_settings(sizes: Sizes) -> dict[str, int]:
    """The settings that training stores in the checkpoint and in settings.json."""
    resize, crop = sizes
    return {"valid_resize_size": resize, "valid_crop_size": crop, "train_crop_size": crop}


def write_automl_folder(
    path: Path,
    layout: Layout = "mlflow-model",
    *,
    name: str = "resnet18",
    labels: Sequence[str] = LABELS,
    multilabel: bool = False,
    sizes: Sizes = (256, 224),
    settings: Mapping[str, Any] | None = None,
    state: Mapping[str, Tensor] | None = None,
    signature: Sequence[Mapping[str, Any]] = SIGNATURE,
) -> Path:
    """Write a model as a training run leaves it below `path`, and return `path`.

    `artifacts` makes `path` the MLflow folder itself, `mlflow-model` puts that into it; `run` is everything a run
    wrote, `outputs` that without the MLflow folder. `settings` is the content of settings.json; without it the MLflow
    layouts hold `sizes` there, as training writes it. `state` replaces the seeded weights. `signature` is the inputs in
    MLmodel.
    """
    if state is None:
        state = seeded_network(name, len(labels), sizes[1]).state_dict()
    content = automl_checkpoint(state, name=name, labels=labels, multilabel=multilabel, sizes=sizes)
    mlflow = {"mlflow-model": "mlflow-model", "artifacts": ".", "run": "outputs/mlflow-model"}.get(layout)
    plain = {"outputs": "outputs", "run": "outputs", "train_artifacts": "train_artifacts", "bare": "."}.get(layout)
    if mlflow is not None:
        _write_mlflow(path / mlflow, content, model_settings(sizes) if settings is None else settings)
        write_mlmodel(path / mlflow, signature)
    if plain is not None:
        _write_plain(path / plain, content, None if mlflow else settings)
    if layout in ("run", "train_artifacts"):
        _write_companions(path, labels)
    return path


def write_plain_folder(
    path: Path,
    *,
    architecture: str = "torchvision/resnet18",
    labels: Sequence[str] = LABELS,
    task: str = "multiclass",
    sizes: Sizes = (256, 224),
    settings: Mapping[str, Any] | None = None,
    state: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write model.safetensors with the manifest.json that names what is in it, and return `path`.

    `settings` is the content of settings.json; without it, the file holds `sizes`.
    """
    path.mkdir(parents=True, exist_ok=True)
    if state is None:
        state = seeded_network(architecture, len(labels), sizes[1]).state_dict()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path / "model.safetensors")
    resize, crop = sizes
    chosen = {"valid_resize_size": resize, "valid_crop_size": crop} if settings is None else settings
    write_json(path / "settings.json", chosen)
    write_json(path / "manifest.json", {"architecture": architecture, "labels": list(labels), "task": task})
    return path


def write_timm_folder(
    path: Path, config: Mapping[str, Any] = TIMM_CONFIG, manifest: Mapping[str, Any] | None = None
) -> Path:
    """Write a small network as timm saves it, perhaps with a manifest.json, and return `path`."""
    path.mkdir()
    save_file(seeded_network("timm/resnet10t", 3, 64).state_dict(), path / "model.safetensors")
    write_json(path / "config.json", config)
    if manifest is not None:
        write_json(path / "manifest.json", manifest)
    return path


def write_json(file: Path, content: Any) -> Path:
    """Write JSON and return the file."""
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def write_mlmodel(
    folder: Path, inputs: Sequence[Mapping[str, Any]] | None, *, flavors: Mapping[str, Any] | None = None
) -> Path:
    """Write the MLmodel that training does, with the inputs of a signature or without one, and return the file."""
    usual = {"python_function": {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}}
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "artifact_path": "outputs/mlflow-model",
        "flavors": usual if flavors is None else dict(flavors),
        "metadata": {"is_automl_model": True, "base_model_name": "resnet18"},
        "mlflow_version": "2.22.0",
    }
    if inputs is not None:
        outputs = [{"name": name, "type": "string"} for name in ("probs", "labels")]
        # each is a JSON text within the YAML
        content["signature"] = {"inputs": json.dumps(list(inputs)), "outputs": json.dumps(outputs), "params": None}
    file = folder / "MLmodel"
    file.write_text(yaml.safe_dump(content))
    return file


class _Stranger:
    """Pickles as a call that no loader should ever make."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('python_model.pkl was unpickled')",)


def _write_mlflow(folder: Path, content: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    (folder / "artifacts").mkdir(parents=True)
    (folder / "conda.yaml").write_text("dependencies:\n- python=3.9\n")
    (folder / "requirements.txt").write_text("azureml-automl-dnn-vision\n")
    (folder / "python_model.pkl").write_bytes(pickle.dumps(_Stranger()))
    torch.save(dict(content), folder / "artifacts/model.pt")
    write_json(folder / "artifacts/settings.json", settings)


def _write_plain(folder: Path, content: Mapping[str, Any], settings: Mapping[str, Any] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(dict(content), folder / "model.pt")
    if settings is not None:
        write_json(folder / "settings.json", settings)


def _write_companions(path: Path, labels: Sequence[str]) -> None:
    for folder in ("outputs", "train_artifacts"):
        (path / folder).mkdir(exist_ok=True)
    (path / "outputs/scoring_file_v_1_0_0.py").write_text("def run(request):\n    return request\n")
    (path / "outputs/run_id.txt").write_text("AutoML_0_HD_1\n")
    (path / "train_artifacts/model.onnx").write_bytes(b"\x08\x07")
    write_json(path / "train_artifacts/labels.json", list(labels))


def _draw_weights(network: nn.Module, random: torch.Generator) -> None:
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:  # variance 1/fan-in keeps the scale of what passes through
            bound = (3 / parameter[0].numel()) ** 0.5 if parameter.shape[0] > 1 else 1.0
            parameter.uniform_(-bound, bound, generator=random)
        else:
            parameter.uniform_(-0.1, 0.1, generator=random)
            if not name.endswith("bias"):
                # loud residual branches would magnify rounding errors from block to block
                parameter.add_(1).mul_(0.1 if name.endswith(("bn2.weight", "bn3.weight")) else 1)


def _calibrate(network: nn.Module, crop: int) -> None:
    """Give batch norms the statistics of some images, and the head a spread of logits of about 1 over them."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    # few images are too few for deep batch norms, which then saturate on all others; small ones are quick
    count, side = (16, min(crop, 96)) if norms else (6, crop)
    inputs = normalised([painted(seed, side, side) for seed in range(1000, 1000 + count)])
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if norms:
        network(inputs)
        network.eval()
    head = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    logits = network(inputs)  # [N, C]
    mean, std = logits.mean(0), logits.std(0)
    head.weight.div_(std[:, None])
    head.bias.sub_(mean).div_(std)
