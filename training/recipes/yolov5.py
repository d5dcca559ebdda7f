"""yolov5 in its four sizes: mosaics, its published loss, and the average of its weights, which is what is served."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.architecture.architecture import DetectorArchitecture
from models.architecture.catalog import architecture
from models.images.letterbox import fitted
from models.networks.yolov5 import YoloV5, build_yolov5
from settings.model import YoloSettings
from training.detection.evaluation import DetectorEvaluation
from training.detection.examples import decode_examples
from training.detection.yolo_batches import YoloBatch, YoloBatches
from training.detection.yolo_loss import yolo_losses
from training.hyperparameters.frozen_layers import frozen_prefixes
from training.loop.device import moved
from training.moving_average import MovingAverage
from training.recipe import Evaluation, RecipeFamily, StepPlan, TrainingSetup

_PRIOR_OBJECT = 0.01  # the probability that a cell has an object, at the start of training
_SERVED = ("img_size", "model_size", "box_score_thresh", "nms_iou_thresh")
_TILED = ("tile_grid_size", "tile_overlap_ratio", "tile_predictions_nms_thresh")


class YoloRecipe:
    """The part of yolov5 in a run."""

    primary_metric = "mean_average_precision"

    def __init__(self, setup: TrainingSetup) -> None:
        named = architecture(setup.model_name)
        assert isinstance(named, DetectorArchitecture)
        self._setup, given = setup, setup.hyperparameters
        self._settings = YoloSettings(**{name: getattr(given, name) for name in (*_SERVED, *_TILED, "exif")})
        torch.manual_seed(given.seed)
        self.network: Any = new_network(len(setup.labels), self._settings).to(setup.device)
        frozen = frozen_prefixes(setup.model_name, given.layers_to_freeze)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not name.startswith(frozen))
        side = self._settings.img_size
        decoded = partial(
            decode_examples,
            labels=setup.labels,
            fit=partial(fitted, side=side),
            shown=f"fitted into a square of {side} pixels",
            folder=setup.cache,
            report=setup.report,
        )
        self._training = YoloBatches(
            decoded(setup.training, settings=self._settings),
            side,
            mosaics=given.apply_mosaic_for_yolo,
            augmented=given.apply_automl_train_augmentations,
            multi_scale=given.multi_scale,
            progressive=given.progressive_sizes,
        )
        self.example_count = len(self._training.examples)
        whole = self._settings.model_copy(update={"tile_grid_size": None})
        self._validation = YoloBatches(decoded(setup.validation, settings=whole), side)
        self._evaluation = DetectorEvaluation(setup, named, self._settings)

    def average(self, network: nn.Module) -> MovingAverage:
        """Return the average of the weights, as published."""
        return MovingAverage(network)

    def batch(self, plan: StepPlan) -> YoloBatch:
        """Return the images and objects of a step."""
        return self._training.batch(plan)

    def losses(self, network: nn.Module, batch: YoloBatch) -> dict[str, Tensor]:
        """Return how wrong boxes, objectness and labels are."""
        grids = network(batch.images.float() / 255)
        return yolo_losses(self.network.head, grids, batch.targets, self._settings.img_size)

    def evaluate(self, network: nn.Module) -> Evaluation:
        """Detect objects in the validation images as a server does, and judge them; `log_loss` is the loss there."""
        evaluation = self._evaluation.evaluate(network.state_dict())
        return replace(evaluation, metrics={"log_loss": self._loss(network), **evaluation.metrics})

    def checkpoint(self, network: nn.Module) -> dict[str, Any]:
        """Return what model.pt holds, apart from the name of the model: all hyperparameters are among it."""
        state = {
            name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in network.state_dict().items()
        }
        specs = {
            "model_specs": {**self._setup.hyperparameters.model_dump(), "task_type": "image-object-detection"},
            "model_settings": {name: getattr(self._settings, name) for name in _SERVED},
            "classes": list(self._setup.labels),
            "inference_settings": {name: getattr(self._settings, name) for name in _TILED},
        }
        return {"number_of_classes": len(self._setup.labels), "specs": specs, "model_state": state}

    def settings(self) -> dict[str, Any]:
        """Return the settings that scoring must know: size, thresholds and tiles."""
        tiled = _TILED if self._settings.tile_grid_size is not None else ()
        values = {name: getattr(self._settings, name) for name in (*_SERVED, *tiled, "exif")}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def _loss(self, network: nn.Module) -> float:
        """Return the mean loss of the validation images, as they are."""
        total, count = 0.0, len(self._validation.examples)
        at_once = self._setup.hyperparameters.validation_batch_size
        rng = np.random.default_rng(0)  # from which nothing is drawn
        with torch.inference_mode():
            for start in range(0, count, at_once):
                indexes = np.arange(start, min(start + at_once, count))
                batch = self._validation.batch(StepPlan(indexes, [rng] * len(indexes), rng, 0.0))
                losses = self.losses(network, moved(batch, self._setup.device))
                total += len(indexes) * sum(value.item() for value in losses.values())
        return total / max(count, 1)


def new_network(classes: int, settings: YoloSettings) -> YoloV5:
    """Return an untrained network whose biases expect few objects, and no label more than others."""
    network = build_yolov5(classes, settings)
    for convolution in network.head.m:
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        with torch.no_grad():
            values = convolution.bias.view(3, -1)
            values[:, 4] += math.log(_PRIOR_OBJECT / (1 - _PRIOR_OBJECT))
            values[:, 5:] += math.log(0.6 / (classes - 0.99))
    return network.to(memory_format=torch.channels_last)


RECIPE = RecipeFamily(names=("yolov5",), tasks=("detection",), build=YoloRecipe)
