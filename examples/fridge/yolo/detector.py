"""Trains the demo's yolov5 from random weights, and tests it on unseen images, preprocessed as the server does it."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from examples.fridge.allocator import keep_freed_memory
from examples.fridge.labelled_scene import LabelledScene, draw_labelled_scenes
from examples.fridge.progress import progress_bar
from examples.fridge.scene import LABELS
from examples.fridge.seeds import TEST_BLOCK, seeds
from examples.fridge.task import TrainedModel
from examples.fridge.training.average_precision import ImageResult, average_precisions, box_ious, mean_average_precision
from examples.fridge.training.batch_norm import settle
from examples.fridge.training.learning_rate import linear_rates
from examples.fridge.training.stage import TrainingStage
from examples.fridge.yolo.augment import AugmentedScene, augment
from examples.fridge.yolo.loss import SceneTargets, yolo_loss
from examples.fridge.yolo.schedule import DRAWING_SIZE, DRAWINGS, SETTINGS, STAGES, TEST_IMAGES, TEST_SIZE
from models.detection.yolov5_adapter import YoloAdapter
from models.networks.yolov5 import SIZES, Size, YoloV5
from models.runtime.precision import FP32
from models.runtime.runtime import ComputeOptions
from models.runtimes.eager import RUNTIME as EAGER
from settings.model import YoloSettings

ARCHITECTURE = "yolov5"
# Probability that a cell has an object, and that an object has a label, at the start of training
_PRIOR_OBJECT, _PRIOR_LABEL = 0.01, 1 / len(LABELS)
_SETTLING_BATCHES = 16
_WARM_UP_STEPS = 20


def train_yolo(seed: int) -> TrainedModel:
    """Draw images, train on them, and test on others; takes minutes on two cores."""
    keep_freed_memory()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = new_network(SIZES[SETTINGS["model_size"][0]])
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    scenes = draw_labelled_scenes("drawing", seeds(seed, 0, DRAWINGS), DRAWING_SIZE)
    train(network, rng, scenes, STAGES)
    unseen = draw_labelled_scenes("drawing unseen images", seeds(seed, TEST_BLOCK, TEST_IMAGES), TEST_SIZE)
    return _trained(network, _evaluate(network, unseen))


def new_network(size: Size) -> YoloV5:
    """Return an untrained network in training mode, whose biases expect objects in few cells."""
    network = YoloV5(len(LABELS), size)
    for convolution in network.head.m:
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        with torch.no_grad():
            values = convolution.bias.view(3, -1)
            values[:, 4] += math.log(_PRIOR_OBJECT / (1 - _PRIOR_OBJECT))
            values[:, 5:] += math.log(_PRIOR_LABEL / (1 - _PRIOR_LABEL))
    return network.to(memory_format=torch.channels_last)


def train(
    network: YoloV5, rng: np.random.Generator, scenes: Sequence[LabelledScene], stages: Sequence[TrainingStage]
) -> list[float]:
    """Train through all stages, leave the network in evaluation mode, and return the loss of each step."""
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), weight_decay=0.02, fused=True)
    scheduler = linear_rates(optimizer, [(stage.steps, stage.rates) for stage in stages], _WARM_UP_STEPS)
    device = network.head.anchors.device
    losses: list[float] = []
    network.train()
    staged = ((stage, *batch) for stage in stages for batch in batches(rng, scenes, stage))
    with progress_bar("training", total=sum(stage.shown * stage.pixels**2 for stage in stages)) as progress:
        for stage, inputs, targets in staged:
            loss = yolo_loss(network.head, network(inputs.to(device)), targets.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
            progress.set_postfix_str(f"loss {losses[-1]:.3f}", refresh=False)
            progress.update(len(inputs) * stage.pixels**2)
    settling = islice(batches(rng, scenes, stages[-1]), _SETTLING_BATCHES)
    settle(network, (inputs.to(device) for inputs, _ in settling))
    return losses


def batches(
    rng: np.random.Generator, scenes: Sequence[LabelledScene], stage: TrainingStage
) -> Iterator[tuple[Tensor, SceneTargets]]:
    """Yield inputs float32 [N, 3, n, n] in [0, 1] and their targets, in a random order."""
    for indexes in stage.index_batches(rng, len(scenes)):
        yield collate([augment(rng, scenes[index], stage.pixels) for index in indexes])


def collate(augmented: Sequence[AugmentedScene]) -> tuple[Tensor, SceneTargets]:
    """Join squares into inputs, float32 [N, 3, n, n] in [0, 1], and targets."""
    pixels = torch.from_numpy(np.stack([one.image for one in augmented]))
    corners = torch.from_numpy(np.concatenate([one.boxes for one in augmented]))
    first, last = corners[:, :2], corners[:, 2:]
    owners = np.repeat(np.arange(len(augmented)), [len(one.labels) for one in augmented])
    labels = torch.from_numpy(np.concatenate([one.labels for one in augmented]))
    targets = SceneTargets(torch.from_numpy(owners), labels, torch.cat([(first + last) / 2, last - first], 1))
    return pixels.permute(0, 3, 1, 2).float() / 255, targets


def _evaluate(network: YoloV5, scenes: Sequence[LabelledScene]) -> list[ImageResult]:
    """Detect as the server does, and compare the detections with the objects."""
    # Average precision also counts detections of low scores
    settings = YoloSettings.model_validate(SETTINGS | {"box_score_thresh": 0.01})
    adapter, results = YoloAdapter(), []
    graph = EAGER.load(adapter.graph_source(network, FP32), None, ComputeOptions(network.head.anchors.device, FP32))
    for scene in progress_bar("testing", scenes):
        height, width = scene.image.shape[:2]
        (detections,) = adapter.detect(network, graph, [adapter.prepare(torch.from_numpy(scene.image), settings)])
        boxes = detections.boxes.numpy() * [width, height, width, height]
        ious = box_ious(boxes, scene.boxes)
        results.append(ImageResult(detections.scores.numpy(), detections.labels.numpy(), scene.labels, ious))
    return results


def _trained(network: YoloV5, results: Sequence[ImageResult]) -> TrainedModel:
    checkpoint = {
        "model_name": ARCHITECTURE,
        "number_of_classes": len(LABELS),
        "specs": {
            "model_specs": dict(SETTINGS),
            "model_settings": dict(SETTINGS),
            "classes": list(LABELS),
            "inference_settings": {},
        },
        "model_state": {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()},
    }
    score = mean_average_precision(results)
    per_label = {LABELS[label]: precision for label, precision in average_precisions(results).items()}
    details = {
        "architecture": ARCHITECTURE,
        "box_map50": score,
        "box_ap50_per_label": per_label,
        "test_images": len(results),
    }
    return TrainedModel(checkpoint, SETTINGS, score, details)
