"""Trains a classifier on crops of images, stage by stage. Its backbone is what the demo's detectors start from."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from examples.fridge.classifier_network import ResnetWithAuxiliaryHeads, training_loss
from examples.fridge.classifier_schedule import SIZES, ClassifierStage
from examples.fridge.crop import random_crop
from examples.fridge.labelled_image import LabelledImage
from examples.fridge.learning_rate import linear_rates
from examples.fridge.progress import progress_bar
from models.images.preprocess import Preprocess

PREPROCESS = Preprocess(SIZES["valid_resize_size"], SIZES["valid_crop_size"])


def train_on_crops(
    what: str,
    model: ResnetWithAuxiliaryHeads,
    rng: np.random.Generator,
    images: Sequence[LabelledImage],
    stages: Sequence[ClassifierStage],
) -> None:
    """Train a model in place, on the device that it is on, and show progress as `what`."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.02, fused=True)
    scheduler = linear_rates(optimizer, [(stage.steps, stage.rates) for stage in stages])
    device = next(model.parameters()).device
    model.train()
    batches = ((stage, *batch) for stage in stages for batch in crop_batches(rng, images, stage))
    with progress_bar(what, total=sum(stage.shown * stage.pixels**2 for stage in stages)) as progress:
        for stage, inputs, labels, class_maps in batches:
            loss = training_loss(model(inputs.to(device)), labels.to(device), class_maps.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            progress.set_postfix_str(f"loss {loss.item():.2f}", refresh=False)
            progress.update(len(inputs) * stage.pixels**2)


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
