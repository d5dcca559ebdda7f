"""Trains the demo's detectors: a Faster R-CNN, and a Mask R-CNN that also learns masks."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from examples.fridge.allocator import keep_freed_memory
from examples.fridge.classifier.network import ResnetWithAuxiliaryHeads
from examples.fridge.classifier.training import train_on_crops
from examples.fridge.detector import schedule
from examples.fridge.detector.batch import DetectorBatch, make_batch
from examples.fridge.detector.loss import detector_loss
from examples.fridge.detector.network import BOXES, CLASSES, MASKS, served_network, served_state, training_network
from examples.fridge.labelled_scene import LabelledScene, draw_labelled_scenes
from examples.fridge.progress import progress_bar
from examples.fridge.scene import LABELS
from examples.fridge.seeds import TEST_BLOCK, seeds
from examples.fridge.task import TrainedModel
from examples.fridge.training.batch_norm import freeze, settle
from examples.fridge.training.evaluation import evaluate
from examples.fridge.training.learning_rate import linear_rates

_SETTLING_BATCHES = 6
_WARM_UP_STEPS = 10
_MOST_GRADIENT_NORM = 5.0


def train_detector(seed: int, *, masks: bool) -> TrainedModel:
    """Draw images, train on them, and test on others; takes minutes on two cores, seconds on a GPU."""
    keep_freed_memory()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scenes = draw_labelled_scenes("drawing", seeds(seed, 0, schedule.DRAWINGS), schedule.DRAWING_SIZE)
    network = training_network()
    network.backbone.body.load_state_dict(_trained_backbone(rng, scenes, device))
    network.to(device, memory_format=torch.channels_last)
    train_scenes(network, rng, scenes, schedule.SCENES, masks=masks)
    return _trained(network, seed, MASKS if masks else BOXES, device)


def train_scenes(
    network: Any,
    rng: np.random.Generator,
    scenes: Sequence[LabelledScene],
    stages: Sequence[schedule.DetectorStage],
    *,
    masks: bool,
) -> list[float]:
    """Train a network of `training_network` in place, its mask head only with `masks`; return the loss of each step."""
    named = [(name, one) for name, one in network.named_parameters() if masks or not name.startswith("roi_heads.mask_")]
    optimizer = torch.optim.AdamW([one for _, one in named], betas=(0.9, 0.95), weight_decay=0.02, fused=True)
    scheduler = linear_rates(optimizer, [(stage.steps, stage.rates) for stage in stages], _WARM_UP_STEPS)
    losses = []
    with progress_bar("training", total=sum(_work(stage) * stage.shown for stage in stages)) as progress:
        for stage in stages:
            batches = _batches(rng, scenes, stage, next(network.parameters()).device)
            if stage.settled:
                settle(network.backbone, (batch.inputs for batch in islice(batches, _SETTLING_BATCHES)))
            network.train()
            if stage.settled:
                freeze(network)
            for batch in islice(batches, stage.steps):
                losses.append(_step(network, optimizer, detector_loss(network, batch, masks=masks)))
                scheduler.step()
                progress.set_postfix_str(f"loss {losses[-1]:.2f}", refresh=False)
                progress.update(_work(stage) * stage.batch)
    return losses


def _work(stage: schedule.DetectorStage) -> int:
    return stage.size[0] * stage.size[1]


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), _MOST_GRADIENT_NORM)
    optimizer.step()
    return loss.item()


def _batches(
    rng: np.random.Generator, scenes: Sequence[LabelledScene], stage: schedule.DetectorStage, device: torch.device
) -> Iterator[DetectorBatch]:
    """Yield batches without end, in which every image comes equally often."""
    order: list[int] = []
    while True:
        while len(order) < stage.batch:
            order.extend(rng.permutation(len(scenes)).tolist())
        chosen, order = order[: stage.batch], order[stage.batch :]
        yield make_batch(rng, [scenes[index] for index in chosen], stage.size).to(device)


def _trained_backbone(
    rng: np.random.Generator, scenes: Sequence[LabelledScene], device: torch.device
) -> dict[str, torch.Tensor]:
    """Train a resnet18 to classify objects; return its weights without the last layer."""
    images = [image for scene in scenes for image in scene.labelled_images()]
    model = ResnetWithAuxiliaryHeads(len(LABELS))
    model.to(device).to(memory_format=torch.channels_last)
    train_on_crops("training on close-ups", model, rng, images, [schedule.CLOSEUPS])
    return {name: tensor for name, tensor in model.network.state_dict().items() if not name.startswith("fc.")}


def _trained(network: nn.Module, seed: int, architecture: str, device: torch.device) -> TrainedModel:
    state = served_state(network, architecture)
    unseen = draw_labelled_scenes(
        "drawing unseen images", seeds(seed, TEST_BLOCK, schedule.TEST_IMAGES), schedule.TEST_SIZE
    )
    figures = evaluate(served_network(architecture, schedule.SETTINGS, state).to(device), unseen)
    specs = {"mask_predictor_hidden_dim": 256} if architecture == MASKS else None
    checkpoint = {
        "model_name": architecture,
        "number_of_classes": len(CLASSES),
        "specs": {
            "model_specs": specs,
            "model_settings": schedule.SETTINGS,
            "classes": list(CLASSES),
            "inference_settings": {},
        },
        "model_state": state,
    }
    score = figures["mask_map50" if architecture == MASKS else "box_map50"]
    details = {"architecture": architecture, **figures, "test_images": len(unseen)}
    return TrainedModel(checkpoint, schedule.SETTINGS, score, details)
