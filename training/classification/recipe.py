"""ClassifierRecipe: trains any network that gives each label a logit for an image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from data.dataset import CheckedImage
from models.classifier import classifier_graph
from models.errors import first_line
from models.images.preprocess import Preprocess
from models.runtime.precision import FP32
from models.runtime.runtime import ComputeOptions
from models.runtimes.eager import folded_graph
from training.augmentation.crops import jitter_colours, random_crop
from training.classification.targets import classification_loss, label_weights, target_matrix
from training.decoded_images import Pixels, decode_images
from training.errors import TrainingError
from training.metrics.classification import evaluate_multiclass, evaluate_multilabel
from training.moving_average import MovingAverage
from training.progressive_sizes import CLASSIFIER_STAGES, share_of_side
from training.recipe import Evaluation, StepPlan, TrainingSetup

_STEP = 16  # pixels, of the sides of smaller images
# The shorter side of kept images, in sides of a crop: small crops of smaller ones are blurs that scoring never sees
_KEPT = 2


@dataclass(frozen=True, slots=True)
class ClassifierBatch:
    """inputs: float32 [N, 3, side, side], normalised, channels last in memory. targets: bool [N, C]."""

    inputs: Tensor
    targets: Tensor


class ClassifierRecipe:
    """Trains a network on random crops, and evaluates it on the crops that a server would make."""

    def __init__(self, setup: TrainingSetup, network: nn.Module, preprocess: Preprocess) -> None:
        self.network = network.to(setup.device).to(memory_format=torch.channels_last)
        self._setup, self._preprocess = setup, preprocess
        self._parameters: Any = setup.hyperparameters
        self._multilabel = setup.task == "multilabel"
        self.primary_metric = "iou" if self._multilabel else "accuracy"
        self.example_count = len(setup.training)
        self._targets = target_matrix(setup.training, setup.labels)
        weights = label_weights(self._targets, self._parameters.weighted_loss, self._multilabel)
        self._weights = None if weights is None else weights.to(setup.device)
        self._side = self._parameters.train_crop_size
        self._strength = float(self._parameters.augmentation_strength)
        self._check_sides()
        self._images = self._training_images()
        self._valid_targets = target_matrix(setup.validation, setup.labels)
        self._valid_crops = self._decoded(setup.validation, preprocess.cropped, f"crop {preprocess}")

    def average(self, network: nn.Module) -> MovingAverage | None:
        """Return None: the hosted trainer publishes the last weights."""
        return None

    def batch(self, plan: StepPlan) -> ClassifierBatch:
        """Return the crops of a step."""
        side = self._side_at(plan.progress)
        chosen = [self._images[index] for index in plan.indexes]
        if self._strength:
            crops = [
                random_crop(rng, image, side, self._strength) for rng, image in zip(plan.rngs, chosen, strict=True)
            ]
        else:
            crops = [_resized(image, side) for image in chosen]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
        if self._strength:
            pixels = jitter_colours(plan.rngs, pixels, self._strength)
        inputs = self._preprocess.statistics.normalised(pixels)
        return ClassifierBatch(inputs, torch.from_numpy(self._targets[plan.indexes]))

    def losses(self, network: nn.Module, batch: ClassifierBatch) -> dict[str, Tensor]:
        """Return the cross entropy of one label an image, or the binary one of several."""
        try:
            logits = network(batch.inputs)
        except ValueError as error:
            if len(batch.inputs) > 1:
                raise
            raise TrainingError(
                f"{self._setup.model_name} cannot train with a batch of one image: {first_line(error).rstrip('.')}. "
                "Change training_batch_size, add images, or make train_crop_size larger."
            ) from None
        return {"loss": classification_loss(logits.float(), batch.targets, self._weights, self._multilabel)}

    def evaluate(self, network: nn.Module) -> Evaluation:
        """Score the validation images as a server does, and compare the scores with their labels."""
        probabilities = self._probabilities(network)
        labels = self._setup.labels
        if self._multilabel:
            found = evaluate_multilabel(probabilities, self._valid_targets, labels)
        else:
            found = evaluate_multiclass(probabilities, self._valid_targets.argmax(1), labels)
        predictions = [
            {"image_url": each.image.url, "probs": row, "labels": list(labels), "label": self._truth(each)}
            for each, row in zip(self._setup.validation, probabilities.tolist(), strict=True)
        ]
        return Evaluation(found.metrics, found.per_label, found.confusion, predictions)

    def checkpoint(self, network: nn.Module) -> dict[str, Any]:
        """Return what AutoML for Images saves of a classifier."""
        return {
            "number_of_classes": len(self._setup.labels),
            "specs": {
                "multilabel": self._multilabel,
                "model_settings": self.settings(),
                "labels": list(self._setup.labels),
            },
            "model_state": {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()},
        }

    def settings(self) -> dict[str, Any]:
        """Return the sizes of the images."""
        names = ("valid_resize_size", "valid_crop_size", "train_crop_size")
        return {name: getattr(self._parameters, name) for name in names}

    def _truth(self, each: CheckedImage) -> Any:
        labels = list(each.image.labels)
        return labels if self._multilabel else labels[0]

    def _probabilities(self, network: nn.Module) -> NDArray[np.float32]:
        """Return float32 [N, C], computed as a server does, which folds batch norms, so that it gives the same scores.

        On a CPU one image at a time, which is hardly slower there: scores of a batch differ in the sixth digit.
        """
        graph = folded_graph(classifier_graph(self._preprocess, network), ComputeOptions(self._setup.device, FP32))
        count = 1 if self._setup.device.type == "cpu" else self._parameters.validation_batch_size
        rows = []
        with torch.inference_mode():
            for start in range(0, len(self._valid_crops), count):
                chosen = range(start, min(start + count, len(self._valid_crops)))
                (logits,) = graph(torch.from_numpy(np.stack([self._valid_crops[index] for index in chosen])))
                rows.append((logits.sigmoid() if self._multilabel else logits.softmax(1)).cpu().numpy())
        return np.concatenate(rows)

    def _check_sides(self) -> None:
        """Raise TrainingError where the network cannot take images of a size that it will get."""
        sides = {self._side, self._preprocess.crop, *(self._side_at(until - 0.01) for until, _ in CLASSIFIER_STAGES)}
        self.network.eval()
        for side in sorted(sides):
            try:
                with torch.inference_mode():
                    self.network(torch.zeros(2, 3, side, side, device=self._setup.device))
            except (RuntimeError, ValueError, AssertionError) as error:
                name, reason = self._setup.model_name, first_line(error).rstrip(".")
                raise TrainingError(
                    f"{name} cannot take images of {side}x{side} pixels: {reason}. Change train_crop_size and "
                    "valid_crop_size, or switch progressive_sizes off."
                ) from None

    def _side_at(self, progress: float) -> int:
        if not self._parameters.progressive_sizes:
            return int(self._side)
        share = share_of_side(CLASSIFIER_STAGES, progress)
        return int(self._side) if share == 1 else max(_STEP, int(self._side * share / _STEP) * _STEP)

    def _training_images(self) -> Any:
        """Decode the images at the size that crops are taken from; at strength 0 to the only crop there is."""
        if not self._strength:
            centre = Preprocess(self._preprocess.resize, self._side, self._preprocess.statistics)
            return self._decoded(self._setup.training, centre.cropped, f"crop {centre}")
        shorter = max(self._preprocess.resize, _KEPT * self._side)

        def shrunk(image: Image.Image) -> Pixels:
            scale = min(1.0, shorter / min(image.size))
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            # Not bilinear as the crops are, since resizing linearly twice blurs more than the once of scoring
            return np.asarray(image.resize(size, Image.Resampling.BICUBIC))

        return self._decoded(self._setup.training, shrunk, f"shorter side at most {shorter}, bicubic")

    def _decoded(self, images: Any, prepare: Any, what: str) -> Any:
        return decode_images(
            images,
            lambda image: np.asarray(prepare(image)),
            what,
            exif=self._preprocess.statistics.exif,
            folder=self._setup.cache,
            report=self._setup.report,
        )


def _resized(image: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
