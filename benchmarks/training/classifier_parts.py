"""What the two programs of others share: the network, the images, the optimizer, as their users would write them."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.models import get_model
from torchvision.transforms import v2

from benchmarks.training.plan import (
    BETA2,
    CYCLES,
    FLIPPED,
    JITTER,
    LEAST_AREA,
    PROPORTIONS,
    WARM_UP_EPOCHS,
    WEIGHT_DECAY,
    TrainingPlan,
)

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def image_folders(plan: TrainingPlan) -> tuple[ImageFolder, ImageFolder]:
    """Return the training images, randomly cropped, flipped and coloured, and the validation images."""
    to_tensor = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(_MEAN, _DEVIATION)]
    training = v2.Compose(
        [
            v2.RandomResizedCrop(plan.side, (LEAST_AREA, 1.0), PROPORTIONS),
            v2.RandomHorizontalFlip(FLIPPED),
            v2.RandomApply([v2.ColorJitter(JITTER, JITTER, JITTER)]),
            *to_tensor,
        ]
    )
    validation = v2.Compose([v2.Resize(plan.resize), v2.CenterCrop(plan.side), *to_tensor])
    folder = Path(plan.folder, "by_label")
    return ImageFolder(folder / "train", training), ImageFolder(folder / "valid", validation)


def initial_network(plan: TrainingPlan, labels: int) -> Any:
    """Return a resnet18 with the random weights of the seed, which are those that Sightglass starts from."""
    torch.manual_seed(plan.seed)
    return get_model("resnet18", weights=None, num_classes=labels)


def optimizer_and_schedule(
    network: nn.Module, plan: TrainingPlan, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """Return AdamW, without decay of biases and batch norms, and a rate that warms up and follows a cosine."""
    plain = [each for each in network.parameters() if each.ndim == 1]
    others = [each for each in network.parameters() if each.ndim != 1]
    groups = [{"params": others, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, plan.learning_rate, betas=(0.9, BETA2), fused=True)
    warm_up, total = WARM_UP_EPOCHS * steps_per_epoch, plan.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < warm_up:
            return step / warm_up
        share = (step - warm_up) / max(1, total - warm_up)
        return max(0.0, 0.5 * (1 + math.cos(2 * math.pi * CYCLES * share)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
