"""A contestant: the loop of torchvision's recipe for detection, with its Faster R-CNN."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.transforms import v2

from benchmarks.training.plan import TrainingPlan, read_plan, report_epoch
from training.metrics.detection import evaluate_detections
from training.metrics.detections import DetectedImage, TrueImage

_WARM_UP_STEPS = 1000
_SCORE = 0.3  # above which detections count, as for AutoML for Images

Example = tuple[Tensor, dict[str, Tensor]]


class BoxedImages(Dataset[Example]):
    """Images with boxes in pixels and labels from 1, read from their files each time."""

    def __init__(self, file: Path, labels: list[str], transform: Any) -> None:
        self._folder, self._transform, self._labels = file.parent, transform, labels
        self._lines = [json.loads(line) for line in file.read_text().splitlines()]

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Example:
        line = self._lines[index]
        image = Image.open(self._folder / line["image_url"]).convert("RGB")
        corners = [[each[name] for name in ("topX", "topY", "bottomX", "bottomY")] for each in line["label"]]
        boxes = torch.tensor(corners) * torch.tensor([*image.size, *image.size])
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=image.size[::-1]),
            "labels": torch.tensor([1 + self._labels.index(each["label"]) for each in line["label"]]),
        }
        changed: Example = self._transform(image, target)
        return changed


def main() -> None:
    """Train by the plan on the command line, and print a line of JSON an epoch."""
    plan, workers = read_plan(__doc__)
    training, validation = _images(plan)
    torch.manual_seed(plan.seed)
    network: Any = fasterrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=len(labels_of(plan)) + 1,
        min_size=plan.side,
        max_size=plan.longest,
    )
    batches = DataLoader(
        training,
        batch_size=plan.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=_collated,
    )
    learned = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(learned, plan.learning_rate, momentum=0.9, weight_decay=1e-4)
    warm_up = min(_WARM_UP_STEPS, len(batches) - 1)
    for epoch in range(plan.epochs):
        rates = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / 1000, total_iters=warm_up) if epoch == 0 else None
        network.train()
        started = time.perf_counter()
        for images, targets in batches:
            losses = sum(network(images, targets).values())
            if not math.isfinite(losses.item()):
                raise RuntimeError(f"The loss is {losses.item()}.")
            optimizer.zero_grad()
            losses.backward()
            optimizer.step()
            if rates is not None:
                rates.step()
        seconds = time.perf_counter() - started
        report_epoch(plan, epoch, len(training) / seconds, _mean_average_precision(network, validation, plan))


def labels_of(plan: TrainingPlan) -> list[str]:
    """Return the labels of the training images, sorted."""
    lines = plan.files[0].read_text().splitlines()
    return sorted({each["label"] for line in lines for each in json.loads(line)["label"]})


def _images(plan: TrainingPlan) -> tuple[BoxedImages, BoxedImages]:
    """Return the images as torchvision's recipe changes them: flipped at random, and for validation not at all."""
    to_tensor = [v2.ToImage(), v2.ToDtype(torch.float, scale=True), v2.ToPureTensor()]
    labels = labels_of(plan)
    training = BoxedImages(plan.files[0], labels, v2.Compose([v2.RandomHorizontalFlip(), *to_tensor]))
    return training, BoxedImages(plan.files[1], labels, v2.Compose(to_tensor))


def _collated(examples: list[Example]) -> tuple[tuple[Tensor, ...], tuple[dict[str, Tensor], ...]]:
    images, targets = zip(*examples, strict=True)
    return images, targets


def _mean_average_precision(network: nn.Module, images: BoxedImages, plan: TrainingPlan) -> float:
    network.eval()
    detected, truth = [], []
    with torch.inference_mode():
        for index in range(len(images)):
            image, target = images[index]
            (found,) = network([image])
            height, width = image.shape[1:]
            shares = np.array([width, height, width, height])
            labels = found["labels"].numpy() - 1
            detected.append(DetectedImage(found["boxes"].numpy() / shares, found["scores"].numpy(), labels))
            there = target["labels"].numpy() - 1
            boxes = target["boxes"].numpy() / shares
            truth.append(TrueImage(boxes, there, np.zeros(len(there), np.bool_), (width, height)))
    judged = evaluate_detections(
        detected,
        truth,
        labels_of(plan),
        masks=False,
        score_threshold=_SCORE,
        iou_threshold=0.5,
        metric_type="voc",
    )
    return judged.metrics["mean_average_precision"]


if __name__ == "__main__":
    main()
