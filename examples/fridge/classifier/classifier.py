"""Trains the multiclass demo model, and tests it on unseen images, preprocessed as the server does it."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from examples.fridge.allocator import keep_freed_memory
from examples.fridge.classifier.network import ARCHITECTURE, ResnetWithAuxiliaryHeads
from examples.fridge.classifier.schedule import DRAWING_SIZE, DRAWINGS, SIZES, STAGES, TEST_IMAGES, TEST_SIZE
from examples.fridge.classifier.training import PREPROCESS, crop_batches, train_on_crops
from examples.fridge.labelled_image import DrawnImage, draw_labelled_images
from examples.fridge.progress import progress_bar
from examples.fridge.scene import LABELS
from examples.fridge.seeds import TEST_BLOCK, seeds
from examples.fridge.task import TrainedModel
from examples.fridge.training.batch_norm import settle

# Statistics of fewer images cost more accuracy than a stage of training brings
_SETTLING_BATCHES = 32


def train_classifier(seed: int) -> TrainedModel:
    """Draw images, train on them, and test on others; takes about a minute on two cores."""
    keep_freed_memory()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = ResnetWithAuxiliaryHeads(len(LABELS))
    model.to(memory_format=torch.channels_last)
    images = draw_labelled_images("drawing", seeds(seed, 0, DRAWINGS), DRAWING_SIZE)
    train_on_crops("training", model, rng, images, STAGES)
    settling = islice(crop_batches(rng, images, STAGES[-1]), _SETTLING_BATCHES)
    settle(model.network, (inputs for inputs, _, _ in settling))
    unseen = draw_labelled_images("drawing unseen images", seeds(seed, TEST_BLOCK, TEST_IMAGES), TEST_SIZE)
    return _trained(model.network, unseen, _probabilities(model.network, unseen))


def _probabilities(network: nn.Module, images: Sequence[DrawnImage]) -> NDArray[np.float32]:
    """Score images as the server does; return float32 [N, labels]."""
    rows = []
    with torch.inference_mode():
        for start in progress_bar("testing", range(0, len(images), 8)):
            chosen = images[start : start + 8]
            pixels = torch.stack([PREPROCESS.cropped(Image.fromarray(labelled.image)) for labelled in chosen])
            rows.append(network(PREPROCESS.inputs(pixels)).softmax(1).numpy())
    return np.concatenate(rows)


def _trained(network: nn.Module, unseen: Sequence[DrawnImage], probabilities: NDArray[np.float32]) -> TrainedModel:
    labels, predicted = np.array([labelled.label for labelled in unseen]), probabilities.argmax(1)
    checkpoint = {
        "model_name": ARCHITECTURE,
        "number_of_classes": len(LABELS),
        "specs": {"multilabel": False, "model_settings": SIZES, "labels": list(LABELS)},
        "model_state": {name: tensor.contiguous() for name, tensor in network.state_dict().items()},
    }
    details = {
        "architecture": ARCHITECTURE,
        "accuracy_per_label": {
            label: float((predicted == labels)[labels == index].mean()) for index, label in enumerate(LABELS)
        },
        "mean_probability": float(probabilities.max(1).mean()),
        "test_images": len(unseen),
    }
    return TrainedModel(checkpoint, SIZES, float((predicted == labels).mean()), details)
