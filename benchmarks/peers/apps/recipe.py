"""What all peers serve: a checkpoint of AutoML for Images in eager PyTorch, with torchvision's own transforms.

It belongs to no server: each peer imports it as `recipe`. MODEL_FILE names the checkpoint. With NOOP set it decodes
only base64 and computes nothing. With a GPU the network computes there, in full float32, and only in batch sizes that
it has warmed up: a GPU takes a second to find its kernels for a new size.
"""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.models import get_model
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.transforms import v2

# Training writes its score as one of these types
torch.serialization.add_safe_globals([np._core.multiarray.scalar, np.dtype, np.dtypes.Float64DType])

_NOOP = bool(os.environ.get("NOOP"))
_NAMES = {"mobilenetv2": "mobilenet_v2"}
CORES = len(os.sched_getaffinity(0))
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH = 32 if DEVICE == "cuda" else 8


class Recipe:
    """Decodes on any thread, and computes on one thread unless `computes` is false. Rows are those of the contract.

    `batch` is the largest number of images in a batch.
    """

    def __init__(
        self, file: str = os.environ.get("MODEL_FILE", ""), *, computes: bool = True, batch: int = BATCH
    ) -> None:
        torch.set_num_threads(CORES)
        checkpoint = torch.load(file, weights_only=True)
        name, specs = checkpoint["model_name"], checkpoint["specs"]
        self.finds = name.endswith("_fpn")
        settings = specs.get("model_settings") or specs.get("inference_settings")
        if self.finds:
            self.labels = specs["classes"]
            network = fasterrcnn_resnet50_fpn(
                weights=None,
                weights_backbone=None,
                num_classes=len(self.labels),
                min_size=settings["min_size"],
                max_size=settings["max_size"],
                box_score_thresh=settings["box_score_thresh"],
                box_nms_thresh=settings["nms_iou_thresh"],
                box_detections_per_img=settings["box_detections_per_img"],
            )
            self.transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
        else:
            self.labels = specs["labels"]
            network = get_model(_NAMES.get(name, name), weights=None, num_classes=len(self.labels))
            self.transform = v2.Compose(
                [
                    v2.Resize(settings["valid_resize_size"]),
                    v2.CenterCrop(settings["valid_crop_size"]),
                    v2.ToImage(),
                    v2.ToDtype(torch.float32, scale=True),
                    v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
                ]
            )
        network.load_state_dict(checkpoint["model_state"])
        self.network = network.eval().to(memory_format=torch.channels_last)
        if DEVICE == "cuda" and computes and not self.finds and not _NOOP:
            torch.backends.cudnn.allow_tf32 = False
            self.network.to(DEVICE)
            side = settings["valid_crop_size"]
            for size in {_power_of_two(count + 1) for count in range(batch)}:
                self.rows([torch.zeros(3, side, side)] * size)

    def decode(self, body: dict[str, Any]) -> torch.Tensor:
        """Turn the body of a request with one image into the input of the network."""
        data = base64.b64decode(body["input_data"]["data"][0])
        if _NOOP:
            return torch.zeros(0)
        inputs: torch.Tensor = self.transform(Image.open(io.BytesIO(data)).convert("RGB"))
        return inputs

    def rows(self, inputs: Sequence[torch.Tensor]) -> list[dict[str, Any]]:
        """Score a batch and return a row for each image."""
        if _NOOP:
            return [{"probs": [1 / len(self.labels)] * len(self.labels), "labels": self.labels} for _ in inputs]
        with torch.inference_mode():
            if self.finds:
                return [self._found(one, found) for one, found in zip(inputs, self.network(list(inputs)), strict=True)]
            count = len(inputs)
            size = _power_of_two(count) if DEVICE == "cuda" else count
            batch = torch.stack([*inputs, *inputs[:1] * (size - count)])
            logits = self.network(batch.to(DEVICE).contiguous(memory_format=torch.channels_last))
            return [{"probs": probs, "labels": self.labels} for probs in logits.softmax(1)[:count].tolist()]

    def _found(self, inputs: torch.Tensor, found: dict[str, torch.Tensor]) -> dict[str, Any]:
        height, width = inputs.shape[1:]
        shares = found["boxes"] / torch.tensor([width, height, width, height])
        columns = zip(shares.tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True)
        corners = ("topX", "topY", "bottomX", "bottomY")
        return {
            "boxes": [
                {"box": dict(zip(corners, box, strict=True)), "label": self.labels[label], "score": score}
                for box, label, score in columns
            ]
        }


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()
