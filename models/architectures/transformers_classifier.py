"""Networks of transformers that classify images (https://huggingface.co/docs/transformers), from its folders.

Any network that takes only square images of one size and has a logit per label: ViT, DeiT, BEiT, Swin, SwinV2,
ConvNeXt, ResNet and so on.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from models.architecture.architecture import ClassifierArchitecture, Family
from models.architecture.attention_grid import AttentionGrid, no_attention
from models.architecture.cam_layer import CamLayer, last_convolution
from models.errors import ModelError
from models.folder.manifest import TaskName
from models.huggingface.network import Outputs, load_network
from models.huggingface.processor_spec import ProcessorSpec
from models.huggingface.saved import SavedModel, only_saved
from models.images.preprocess import Preprocess

# Networks that compute their logits from special tokens, and how many of those come before the patches
_PREFIX_TOKENS = MappingProxyType({"vit": 1, "deit": 2, "beit": 1, "dinov2": 1})
# Networks that end with the mean of all patches, after a norm
_AVERAGED = ("swin", "swinv2")
_SQUASHED_FROM = 384  # pixels; from here on, a processor with a crop fraction squashes the whole image instead


def _architecture(saved: SavedModel) -> ClassifierArchitecture:
    preprocess = _preprocess(saved.spec, saved.processor_file)
    saved.verify_preprocessing(partial(_network_input, preprocess))
    return ClassifierArchitecture(
        saved.name,
        build=lambda classes, settings: Outputs(saved.network(saved.config), "logits"),
        load=lambda state, file: Outputs(load_network(saved.network, saved.config, state, file), "logits"),
        cam_layer=partial(_cam_layer, saved.kind),
        attention=partial(_attention, saved.kind),
        tasks=_tasks(saved),
        fixed={"valid_resize_size": preprocess.resize, "valid_crop_size": preprocess.crop},
        statistics=preprocess.statistics,
    )


def _tasks(saved: SavedModel) -> tuple[TaskName, ...]:
    """Return the tasks; the first is the one that the network was trained for, by the rules of the library."""
    kind = saved.config.problem_type
    if kind == "regression":
        raise ModelError(f"{saved.name} was trained for a regression (problem_type); expected one that classifies.")
    if kind == "multi_label_classification" or len(saved.labels) == 1:
        return "multilabel", "multiclass"
    return "multiclass", "multilabel"


def _preprocess(spec: ProcessorSpec, file: Path) -> Preprocess:
    """Convert a spec to the sizes of a resize and a crop; ModelError unless it gives squares of one size."""
    size, squash = spec.size, "height" in spec.size
    resize = size.get("height", size.get("shortest_edge", 0))
    crop = spec.crop or ((size["height"], size["width"]) if squash else (0, 0))
    if spec.crop_fraction is not None and not squash:
        crop, squash = (resize, resize), resize >= _SQUASHED_FROM
        resize = resize if squash else int(resize / spec.crop_fraction)
    if crop[0] != crop[1] or not crop[0] or (squash and len(set(size.values())) > 1) or "longest_edge" in size:
        raise ModelError(
            f"{file}: size {dict(size)} and crop_size {spec.crop} make pictures that are not all squares of one "
            "size; only those are supported."
        )
    return Preprocess(resize, crop[0], replace(spec.statistics, squash=squash))


def _network_input(preprocess: Preprocess, image: Image.Image) -> NDArray[np.float32]:
    values: NDArray[np.float32] = preprocess.inputs(torch.stack([preprocess.cropped(image)]))[0].numpy()
    return values


def _cam_layer(kind: str, network: nn.Module) -> CamLayer:
    inner = network.get_submodule("network")
    if kind in _AVERAGED:
        return CamLayer(f"network.{inner.base_model_prefix}.layernorm", prefix_tokens=0)
    if kind in _PREFIX_TOKENS:
        # after the last block, only the special tokens reach the head
        name, blocks = next(pair for pair in inner.named_modules() if isinstance(pair[1], nn.ModuleList))
        return CamLayer(f"network.{name}.{len(blocks) - 1}", side="input", prefix_tokens=_PREFIX_TOKENS[kind])
    return CamLayer(f"network.{last_convolution(inner).name}")


def _attention(kind: str, network: nn.Module) -> AttentionGrid:
    if kind in _AVERAGED:
        return AttentionGrid(None)
    if kind in _PREFIX_TOKENS:
        return AttentionGrid(_PREFIX_TOKENS[kind])
    return no_attention(network.get_submodule("network"))


FAMILY = Family(("transformers/*ForImageClassification*",), only_saved, _architecture)
