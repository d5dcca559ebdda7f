"""TorchvisionRecipe: how the detectors of torchvision are trained, as the parts of a Recipe."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from models.architecture.architecture import DetectorArchitecture
from models.architecture.catalog import architecture
from models.definition import BACKGROUND
from models.detection.torchvision_adapter import TorchvisionAdapter
from models.images.preprocess import Statistics
from settings.model import DetectionSettings, SegmentationSettings
from training.detection.batch import BatchMaker, DetectionBatch, shrunk
from training.detection.evaluation import DetectorEvaluation
from training.detection.examples import decode_examples
from training.detection.region_heads import limit_regions
from training.detection.trainable import freeze_layers, hold_norms, learn_norms, saved_state
from training.hyperparameters.frozen_layers import frozen_prefixes
from training.loop.device import moved
from training.moving_average import MovingAverage
from training.recipe import Evaluation, StepPlan, TrainingSetup

_SPECS = ("min_size", "max_size", "box_score_thresh", "nms_iou_thresh", "box_detections_per_img")
_INFERENCE = (
    "tile_grid_size",
    "tile_overlap_ratio",
    "tile_predictions_nms_thresh",
    "mask_pixel_score_threshold",
    "max_number_of_polygon_points",
    "export_as_image",
    "image_type",
)


class TorchvisionRecipe:
    """One detector of torchvision in a run. Labels are learned as the network counts them."""

    primary_metric = "mean_average_precision"

    def __init__(self, setup: TrainingSetup) -> None:
        named = architecture(setup.model_name)
        assert isinstance(named, DetectorArchitecture) and isinstance(named.adapter, TorchvisionAdapter)
        self._architecture, self._adapter, self._given = named, named.adapter, setup.hyperparameters
        self._device = setup.device
        self._settings = self._effective_settings()
        self._masks = isinstance(self._settings, SegmentationSettings)
        self._classes = (*((BACKGROUND,) if named.background else ()), *setup.labels)
        torch.manual_seed(self._given.seed)
        self.network: Any = self._built()
        self._norms = self._trainable(pretrained=setup.pretrained)
        self.network.to(setup.device).to(memory_format=torch.channels_last)
        decoded = partial(
            decode_examples,
            labels=setup.labels,
            fit=partial(shrunk, settings=self._settings),
            shown=f"a detector's input of {self._settings.min_size} to {self._settings.max_size} pixels",
            folder=setup.cache,
            report=setup.report,
        )
        self._examples = decoded(setup.training, settings=self._settings)
        self.example_count = len(self._examples)
        self._validation = decoded(
            setup.validation, settings=self._settings.model_copy(update={"tile_grid_size": None})
        )
        self._maker = BatchMaker(
            self._settings,
            self._masks,
            named.adapter.first_label,
            augmented=self._given.apply_automl_train_augmentations,
            progressive=self._given.progressive_sizes,
        )
        self._evaluation = DetectorEvaluation(setup, named, self._settings)

    def average(self, network: nn.Module) -> MovingAverage | None:
        """Return None: the last weights are as good."""
        return None

    def batch(self, plan: StepPlan) -> DetectionBatch:
        """Return the examples of a step, changed at random."""
        return self._maker.batch(self._examples, plan)

    def losses(self, network: nn.Module, batch: DetectionBatch) -> dict[str, Tensor]:
        """Return the losses as torchvision names them."""
        hold_norms(self._norms, batch.progress)
        self.network.transform.sizes = batch.sizes
        losses: dict[str, Tensor] = network(batch.images, batch.targets)
        return losses

    def evaluate(self, network: nn.Module) -> Evaluation:
        """Detect objects in the validation images as a server does, and judge them; `log_loss` is the loss there."""
        evaluation = self._evaluation.evaluate(saved_state(network))
        return replace(evaluation, metrics={"log_loss": self._validation_loss(network), **evaluation.metrics})

    def checkpoint(self, network: nn.Module) -> dict[str, Any]:
        """Return what model.pt holds, apart from the name of the model."""
        inference = {name: value for name in _INFERENCE if (value := getattr(self._settings, name, None)) is not None}
        specs = {
            "model_specs": {"mask_predictor_hidden_dim": 256} if self._masks else None,
            "model_settings": {name: getattr(self._settings, name) for name in _SPECS},
            "classes": list(self._classes),
            "inference_settings": inference,
        }
        return {"number_of_classes": len(self._classes), "specs": specs, "model_state": saved_state(network)}

    def settings(self) -> dict[str, Any]:
        """Return the settings that scoring must know: sizes, thresholds, tiles and masks."""
        values = {name: getattr(self._settings, name, None) for name in (*_SPECS, *_INFERENCE, "exif")}
        set_here = {name: value for name, value in values.items() if value is not None and value is not False}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in set_here.items()}

    def _validation_loss(self, network: nn.Module) -> float:
        """Return the mean loss of the validation images, as they are."""
        torch.manual_seed(0)  # regions are drawn, the same ones each time
        network.train()
        total, count, at_once = 0.0, len(self._validation), self._given.validation_batch_size
        with torch.no_grad():
            for start in range(0, count, at_once):
                examples = self._validation[start : start + at_once]
                losses = self.losses(network, moved(self._maker.batch(examples), self._device))
                total += len(examples) * sum(value.item() for value in losses.values())
        network.eval()
        return total / max(count, 1)

    def _effective_settings(self) -> DetectionSettings:
        schema = self._architecture.settings
        given = {name: getattr(self._given, name, None) for name in (*_SPECS, *_INFERENCE, "exif")}
        settings = schema.model_validate({name: value for name, value in given.items() if value is not None})
        assert isinstance(settings, DetectionSettings)
        return settings

    def _built(self) -> Any:
        network: Any = self._architecture.build(len(self._classes), self._settings)
        network.transform = PreparedImages()
        # Under autocast maps have smaller types, in which anchors and boxes would be rounded to several pixels
        for module in (network.backbone, network.get_submodule(self._adapter.dense_head)):
            module.register_forward_hook(lambda _, inputs, outputs: in_float32(outputs))
        if hasattr(network, "roi_heads"):
            masks = self._given.masks_per_image if self._masks else 0
            limit_regions(network, self._given.regions_per_image, masks)
        return network

    def _trainable(self, *, pretrained: bool) -> list[nn.BatchNorm2d]:
        """Decide which layers learn, and return the batch norms among them."""
        frozen = frozen_prefixes(self._architecture.name, self._given.layers_to_freeze) if pretrained else ()
        freeze_layers(self.network, frozen)
        return learn_norms(self.network, frozen) if self._given.learn_batch_norms or not pretrained else []


class PreparedImages(nn.Module):
    """Stands in for a detector's own transform: images arrive resized and padded, as uint8 [N, 3, H, W].

    `sizes` are the (height, width) that each fills; what is around it becomes 0, as in scoring.
    """

    sizes: tuple[tuple[int, int], ...] = ()

    def forward(self, images: Tensor, targets: Any) -> tuple[ImageList, Any]:
        """Normalise a batch."""
        values = Statistics().normalised(images.float())
        for value, (height, width) in zip(values, self.sizes, strict=True):
            value[:, height:] = 0
            value[:, :, width:] = 0
        return ImageList(values, list(self.sizes)), targets

    def postprocess(self, result: Any, *sizes: object) -> Any:
        """Return what the network found as it is, which is nothing while it trains."""
        return result


def in_float32(outputs: Any) -> Any:
    """Return nested lists, tuples and dicts of tensors as float32."""
    if isinstance(outputs, Tensor):
        return outputs.float()
    if isinstance(outputs, dict):
        return type(outputs)((key, in_float32(value)) for key, value in outputs.items())
    return type(outputs)(in_float32(value) for value in outputs)
