"""Saves tiny networks of transformers with seeded weights, as save_pretrained leaves them, and asks the library itself.

References use the library's own loading, processors and post-processing, and nothing of the product.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image, ImageOps
from torch import Tensor, nn

from models.networks.torchvision_import import import_torchvision
from tests.support.folders.checkpoints import LABELS, normalised, write_mlmodel
from tests.support.images import painted

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
import_torchvision()

NAMES = dict(enumerate(LABELS))
_TOKENS = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}
_WINDOWS = {"image_size": 64, "patch_size": 4, "embed_dim": 16, "depths": [1, 2], "num_heads": [2, 4], "window_size": 4}
_MAPS = {"num_stages": 2, "depths": [1, 2], "hidden_sizes": [8, 24]}

# network -> its configuration, and its processor with what differs from the usual
CLASSIFIERS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "ViTForImageClassification": (_TOKENS | {"image_size": 48, "patch_size": 8}, "ViT", {"size": 48}),
    "DeiTForImageClassification": (
        _TOKENS | {"image_size": 48, "patch_size": 8},
        "DeiT",
        {"size": {"height": 55, "width": 55}, "crop_size": 48},
    ),
    "DeiTForImageClassificationWithTeacher": (
        _TOKENS | {"image_size": 48, "patch_size": 8},
        "DeiT",
        {"size": {"shortest_edge": 53}, "crop_size": 48, "resample": 2},
    ),
    "BeitForImageClassification": (
        _TOKENS | {"image_size": 48, "patch_size": 8, "use_relative_position_bias": True},
        "Beit",
        {"size": {"height": 48, "width": 48}, "resample": 1},
    ),
    "Swinv2ForImageClassification": (_WINDOWS, "ViT", {"size": {"height": 64, "width": 64}, "resample": 3}),
    "SwinForImageClassification": (_WINDOWS, "ViT", {"size": {"height": 64, "width": 64}}),
    "ConvNextForImageClassification": (_MAPS, "ConvNext", {"size": {"shortest_edge": 64}, "crop_pct": 0.9}),
    "ResNetForImageClassification": (
        _MAPS | {"embedding_size": 8, "layer_type": "basic"},
        "ConvNext",
        {"size": {"shortest_edge": 384}},
    ),
    "Dinov2ForImageClassification": (
        _TOKENS | {"image_size": 48, "patch_size": 8},
        "Bit",
        {"size": {"shortest_edge": 61}, "crop_size": 48},
    ),
}
_RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16, 20],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
_SWIN = {
    "model_type": "swin",
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
_DETR = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_queries": 30,
}


def on_resnet(*stages: str) -> dict[str, Any]:
    return {"use_timm_backbone": False, "backbone_config": _RESNET | {"out_features": list(stages)}}


_LEVELS = on_resnet("stage2", "stage3", "stage4")
_EDGES = {"size": {"shortest_edge": 60, "longest_edge": 90}}
_REAL_TIME = {
    "backbone_config": _RESNET | {"model_type": "rt_detr_resnet", "out_features": ["stage2", "stage3", "stage4"]},
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [12, 16, 20],
    "encoder_layers": 1,
    "encoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "d_model": 32,
    "num_queries": 10,
    "decoder_in_channels": [32, 32, 32],
    "decoder_ffn_dim": 32,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
}
DETECTORS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "DetrForObjectDetection": (_DETR | on_resnet("stage4"), "Detr", _EDGES),
    "TableTransformerForObjectDetection": (_DETR | on_resnet("stage4"), "Detr", _EDGES),
    "ConditionalDetrForObjectDetection": (
        _DETR | on_resnet("stage4"),
        "ConditionalDetr",
        {"size": {"max_height": 80, "max_width": 80}, "pad_size": {"height": 96, "width": 96}},
    ),
    "DeformableDetrForObjectDetection": (_DETR | _LEVELS, "DeformableDetr", _EDGES),
    "YolosForObjectDetection": (
        _TOKENS | {"image_size": [64, 96], "patch_size": 16, "num_detection_tokens": 30},
        "Yolos",
        _EDGES,
    ),
    "RTDetrForObjectDetection": (_REAL_TIME, "RTDetr", {"size": {"height": 96, "width": 96}}),
    "RTDetrV2ForObjectDetection": (_REAL_TIME, "RTDetr", {"size": {"height": 96, "width": 96}}),
    "DFineForObjectDetection": (
        _REAL_TIME
        | {
            "backbone_config": {
                "model_type": "hgnet_v2",
                "stem_channels": [3, 8, 8],
                "stage_in_channels": [8, 8, 12, 16],
                "stage_mid_channels": [8, 8, 8, 8],
                "stage_out_channels": [8, 12, 16, 20],
                "stage_num_blocks": [1, 1, 1, 1],
                "stage_downsample": [False, True, True, True],
                "stage_light_block": [False, False, True, True],
                "stage_kernel_size": [3, 3, 5, 5],
                "stage_numb_of_layers": [1, 1, 1, 1],
                "out_features": ["stage2", "stage3", "stage4"],
                "hidden_sizes": [8, 12, 16, 20],
                "depths": [1, 1, 1, 1],
            }
        },
        "RTDetr",
        {"size": {"height": 96, "width": 96}},
    ),
}
SEGMENTERS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "Mask2FormerForUniversalSegmentation": (
        {
            "backbone_config": _SWIN,
            "feature_size": 32,
            "mask_feature_size": 32,
            "hidden_dim": 32,
            "encoder_feedforward_dim": 32,
            "encoder_layers": 1,
            "decoder_layers": 2,
            "num_attention_heads": 2,
            "dim_feedforward": 32,
            "num_queries": 12,
        },
        "Mask2Former",
        {"size": {"height": 96, "width": 128}},
    ),
    "MaskFormerForInstanceSegmentation": (
        {
            "backbone_config": _SWIN,
            "decoder_config": {"model_type": "detr"} | _DETR | {"num_queries": 12},
            "fpn_feature_size": 32,
            "mask_feature_size": 32,
        },
        "MaskFormer",
        {"size": {"shortest_edge": 96, "longest_edge": 160}},
    ),
}
ALL = CLASSIFIERS | DETECTORS | SEGMENTERS


def save(path: Path, name: str, *, seed: int = 0, processor: Mapping[str, Any] | None = None, **config: Any) -> Path:
    """Save a network and its processor into a folder, with other values where they are given; returns the folder."""
    usual, kind, prepared = ALL[name]
    factory = getattr(transformers, name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        described = factory.config_class(**(usual | {"id2label": NAMES} | config))
        network = factory(described).eval()
        with torch.no_grad():
            _enliven(network)
    network.save_pretrained(path)
    prepares = getattr(transformers, f"{kind}ImageProcessorPil")
    prepares(**(prepared if processor is None else processor)).save_pretrained(path)
    return path


def save_as_automl(path: Path, name: str, **more: Any) -> Path:
    """Save a network as AutoML for Images does: by MLflow's flavor of transformers, with an unnamed column of texts."""
    save(path / "data/model", name, **more)
    (path / "data/tokenizer").mkdir()
    processor = "preprocessor_config.json"
    (path / "data/model" / processor).rename(path / "data/tokenizer" / processor)
    flavors = {
        "python_function": {"loader_module": "mlflow.transformers", "data": "data"},
        "transformers": {"task": "image-classification", "pipeline_model_type": name},
    }
    write_mlmodel(path, [{"type": "string"}], flavors=flavors)
    return path


def _enliven(network: nn.Module) -> None:
    """Draw weights whose outputs differ clearly between images; those of a fresh network hardly differ."""
    for title, parameter in network.named_parameters():
        if ("quer" in title and "position" in title) or "detection_tokens" in title:
            parameter.normal_(std=3)
        elif parameter.dim() > 1 and "embeddings" not in title:
            parameter.normal_(std=(1.5 / parameter[0].numel()) ** 0.5)
        elif parameter.dim() == 1 and title.endswith("bias") and "sampling_offsets" not in title:
            parameter.normal_(std=0.1)
    for title, module in network.named_modules():
        if isinstance(module, nn.Linear) and ("class" in title or "score_head" in title):
            module.weight.mul_(2)
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:  # few statistics would let what passes through fade away
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if norms:
        network(pixel_values=normalised([painted(seed, 96, 96) for seed in range(1000, 1004)]))
        network.eval()


class Reference:
    """A saved folder as the library itself loads and uses it, an image at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        self.network = getattr(transformers, name).from_pretrained(folder).eval()
        self.processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")

    def inputs(self, data: bytes) -> Any:
        """What the network is given."""
        image = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")
        return self.processor(images=image, return_tensors="pt")

    def outputs(self, data: bytes) -> Any:
        """What the network answers."""
        with torch.no_grad():
            return self.network(**self.inputs(data))

    def boxes(self, data: bytes, threshold: float) -> list[tuple[str, float, list[float]]]:
        """Labels, scores and boxes as shares of the image, cut off at its edges; best score first."""
        (found,) = self.processor.post_process_object_detection(self.outputs(data), threshold, [(1, 1)])
        rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].clamp(0, 1).tolist(), strict=True)
        return sorted([(LABELS[label], score, box) for label, score, box in rows], key=lambda row: -row[1])

    def masks(self, data: bytes, threshold: float, size: tuple[int, int]) -> list[tuple[str, float, Tensor]]:
        """Labels, scores and masks, bool [height, width], best score first."""
        (found,) = self.processor.post_process_instance_segmentation(
            self.outputs(data), threshold, target_sizes=[size], return_binary_maps=True
        )
        rows = zip(found["segments_info"], found["segmentation"], strict=True) if found["segments_info"] else ()
        named = [(LABELS[one["label_id"]], one["score"], mask.bool()) for one, mask in rows]
        return sorted(named, key=lambda row: -row[1])
