"""Trains a classifier on crops of images, stage by stage. Its backbone is what the demo's detectors start from."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from examples.fridge.classifier.crop import random_crop
from examples.fridge.classifier.network import ResnetWithAuxiliaryHeads, training_loss
from examples.fridge.classifier.schedule import SIZES, ClassifierStage
from examples.fridge.labelled_image import DrawnImage
from examples.fridge.progress import progress_bar
from examples.fridge.training.half_batches import backward, two_threads
from examples.fridge.training.learning_rate import linear_rates
from models.images.preprocess import Preprocess

PREPROCESS = Preprocess(SIZES["valid_resize_size"], SIZES["valid_crop_size"])


def train_on_crops(
    what: str,
    model: ResnetWithAuxiliaryHeads,
    rng: np.random.Generator,
    images: Sequence[DrawnImage],
    stages: Sequence[ClassifierStage],
) -> None:
    """Train a model in place, on the device that it is on, and show progress as `what`."""
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.95), weight_decay=0.02, fused=True)
    scheduler = linear_rates(optimizer, [(stage.steps, stage.rates) for stage in stages])
    device = parameters[0].device
    bfloat16 = device.type == "cpu" and _has_bfloat16()

    def loss_of(inputs: Tensor, labels: Tensor, class_maps: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = model(inputs)
        return training_loss(outputs, labels, class_maps)

    model.train()
    batches = ((stage, batch) for stage in stages for batch in crop_batches(rng, images, stage))
    total = sum(stage.shown * stage.pixels**2 for stage in stages)
    with two_threads() as threads, progress_bar(what, total=total) as progress:
        for stage, batch in batches:
            loss = backward(threads, parameters, loss_of, *(tensor.to(device) for tensor in batch))
            optimizer.step()
            scheduler.step()
            progress.set_postfix_str(f"loss {loss:.2f}", refresh=False)
            progress.update(len(batch[0]) * stage.pixels**2)


def _has_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16, which takes 0.6 of the time of float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def crop_batches(
    rng: np.random.Generator, images: Sequence[DrawnImage], stage: ClassifierStage
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield inputs float32 [N, 3, n, n], labels int64 [N], class maps int64 [N, n // 4, n // 4], in a random order."""
    for indexes in stage.index_batches(rng, len(images)):
        chosen = [images[index] for index in indexes]
        crops = [random_crop(rng, labelled, stage.pixels, stage.closeup) for labelled in chosen]
        pixels = torch.from_numpy(np.stack([crop.image for crop in crops]))
        class_maps = torch.from_numpy(np.stack([crop.class_map for crop in crops])).long()
        yield PREPROCESS.inputs(pixels), torch.tensor([labelled.label for labelled in chosen]), class_maps
