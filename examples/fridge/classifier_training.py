"""Trains the classifier, whose backbone detectors start from, on crops of images, stage by stage."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from examples.fridge.classifier_network import ResnetWithAuxiliaryHeads, training_loss
from examples.fridge.classifier_schedule import SIZES, ClassifierStage
from examples.fridge.crop import random_crop
from examples.fridge.labelled_image import LabelledImage
from models.images.preprocess import Preprocess

PREPROCESS = Preprocess(SIZES["valid_resize_size"], SIZES["valid_crop_size"])


def optimizer_for(model: ResnetWithAuxiliaryHeads) -> torch.optim.Optimizer:
    """Return the optimizer of a classifier."""
    return torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.02, fused=True)


def crop_batches(
    rng: np.random.Generator, images: Sequence[LabelledImage], stage: ClassifierStage
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield inputs float32 [N, 3, n, n], labels int64 [N], class maps int64 [N, n // 4, n // 4], in a random order."""
    order = np.concatenate([rng.permutation(len(images)) for _ in range(-(-stage.shown // len(images)))])
    for start in range(0, stage.shown, stage.batch):
        chosen = [images[index] for index in order[start : min(start + stage.batch, stage.shown)]]
        crops = [random_crop(rng, labelled, stage.pixels, stage.closeup) for labelled in chosen]
        pixels = torch.from_numpy(np.stack([crop.image for crop in crops]))
        class_maps = torch.from_numpy(np.stack([crop.class_map for crop in crops])).long()
        yield PREPROCESS.inputs(pixels), torch.tensor([labelled.label for labelled in chosen]), class_maps


def train_stage(
    model: ResnetWithAuxiliaryHeads,
    optimizer: torch.optim.Optimizer,
    stage: ClassifierStage,
    batches: Iterator[tuple[Tensor, Tensor, Tensor]],
    progress: Any,
) -> None:
    """Take the steps of one stage, on the device of the model.

    `batches` are those of `crop_batches`, `progress` a bar that counts pixels.
    """
    model.train()
    device = next(model.parameters()).device
    first, last = stage.rates
    for step, batch in enumerate(batches):
        inputs, labels, class_maps = (tensor.to(device) for tensor in batch)
        share = step * stage.batch / stage.shown
        for group in optimizer.param_groups:
            group["lr"] = first + (last - first) * share
        loss = training_loss(model(inputs), labels, class_maps)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.set_postfix_str(f"loss {loss.item():.2f}", refresh=False)
        progress.update(len(inputs) * stage.pixels**2)
