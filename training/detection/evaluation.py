"""DetectorEvaluation: judges a detector by what a server would find in the validation images."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data.dataset import CheckedImage
from data.headers import LIMITS
from models.architecture.architecture import DetectorArchitecture
from models.architecture.building import build_network
from models.definition import task_named
from models.detection.adapter import Detections
from models.detection.inputs import detector_inputs
from models.detection.instances import Instances, join
from models.detection.masks import PlacedMask, paste_probabilities
from models.errors import ImageError
from models.images.decoding import decode
from models.images.model_input import DecodedImage
from models.images.pixels import rgb_array
from models.runtime.precision import FP32
from models.runtime.runtime import ComputeOptions, Graph
from models.runtimes.eager import RUNTIME
from training.detection.examples import seen_size
from training.detection.shapes import drawn
from training.detection.true_objects import TrueObjects, true_objects
from training.errors import TrainingError
from training.metrics.detection import evaluate_detections
from training.metrics.detections import DetectedImage, TrueImage
from training.metrics.mask_runs import placed_run_lengths
from training.recipe import Evaluation, TrainingSetup

# COCO's numbers count boxes of nearly any score. Each box costs a mask, which takes as long as a small image
LOWEST_SCORE, LOWEST_SCORE_WITH_MASK = 0.001, 0.05

_AT_ONCE = 8  # images that are decoded ahead


class DetectorEvaluation:
    """Scores the validation images of a run as a server would, and compares that with their objects.

    `settings` are those of scoring. Images are decoded anew each time, since all of them at full size may be many.
    """

    def __init__(self, setup: TrainingSetup, architecture: DetectorArchitecture, settings: Any) -> None:
        self._setup, self._architecture, self._settings = setup, architecture, settings
        self._masks = setup.task == "segmentation"
        lowest = min(LOWEST_SCORE_WITH_MASK if self._masks else LOWEST_SCORE, settings.box_score_thresh)
        self._generous = settings.model_copy(update={"box_score_thresh": lowest})
        self._truth = [self._true_image(each) for each in setup.validation]

    def evaluate(self, state: Mapping[str, Tensor]) -> Evaluation:
        """Judge the network with these tensors, in the names of model.pt."""
        detected, predictions = [], []
        task = task_named(self._setup.task)
        for image, instances in zip(self._setup.validation, self._instances(state), strict=True):
            detected.append(self._detected(instances, image))
            replied = instances.select(np.flatnonzero(instances.scores > self._settings.box_score_thresh))
            reply = asdict(task.prediction(replied, self._setup.labels))
            predictions.append({"image_url": image.image.url, **reply})
        given = self._setup.hyperparameters
        evaluation = evaluate_detections(
            detected,
            self._truth,
            self._setup.labels,
            masks=self._masks,
            score_threshold=self._settings.box_score_thresh,
            iou_threshold=given.validation_iou_threshold,
            metric_type=given.validation_metric_type,
        )
        return replace(evaluation, predictions=predictions)

    def _instances(self, state: Mapping[str, Tensor]) -> Iterator[Instances]:
        """Yield what a server finds in each image."""
        setup, adapter = self._setup, self._architecture.adapter
        network = self._network(state)
        graph = RUNTIME.load(adapter.graph_source(network, FP32), None, ComputeOptions(setup.device, FP32))
        with ThreadPoolExecutor(2) as threads, setup.report.bar(len(setup.validation), "evaluating") as bar:
            for images in _read_ahead(threads, self._read, setup.validation):
                outputs = self._outputs(network, graph, images)
                for image in images:
                    found = [outputs.pop(0) for _ in image.inputs]
                    yield join(image, found, image.inputs[0].data.size)
                    bar.advance()

    def _network(self, state: Mapping[str, Tensor]) -> nn.Module:
        classes = len(self._setup.labels) + int(self._architecture.background)
        network = build_network(self._architecture, classes, self._settings, dict(state), Path("model.pt"))
        return network.to(self._setup.device).to(memory_format=torch.channels_last)

    def _read(self, image: CheckedImage) -> DecodedImage:
        try:
            pixels = rgb_array(decode(image.file.read_bytes(), LIMITS, exif=self._settings.exif))
            return detector_inputs(torch.from_numpy(pixels), self._architecture.adapter, self._generous)
        except (ImageError, OSError) as error:
            raise TrainingError(f"{image.file} cannot be evaluated: {error}") from None

    def _outputs(self, network: nn.Module, graph: Graph, images: Sequence[DecodedImage]) -> list[Detections]:
        """Return the detections in all inputs of some images, in their order."""
        inputs = [each for image in images for each in image.inputs]
        outputs: dict[int, Detections] = {}
        most = self._setup.hyperparameters.validation_batch_size
        order = sorted(range(len(inputs)), key=lambda index: inputs[index].data.padded)
        with torch.inference_mode():
            for _, same in groupby(order, key=lambda index: inputs[index].data.padded):
                numbers = list(same)
                for start in range(0, len(numbers), most):
                    batch = numbers[start : start + most]
                    found = self._architecture.adapter.detect(network, graph, [inputs[index].data for index in batch])
                    outputs.update(zip(batch, found, strict=True))
        return [outputs[index] for index in range(len(inputs))]

    def _detected(self, instances: Instances, image: CheckedImage) -> DetectedImage:
        masks = None
        if self._masks and instances.masks is not None:
            width, height = seen_size(image, self._settings.exif)
            threshold = self._settings.mask_pixel_score_threshold
            masks = [
                placed_run_lengths(
                    paste_probabilities(box * (width, height, width, height), mask, (height, width), threshold),
                    (height, width),
                )
                for box, mask in zip(instances.boxes, instances.masks, strict=True)
            ]
        return DetectedImage(instances.boxes, instances.scores, instances.labels, masks)

    def _true_image(self, image: CheckedImage) -> TrueImage:
        size = seen_size(image, self._settings.exif)
        objects = true_objects(image.image, self._setup.labels)
        masks = None
        if self._masks:
            masks = [placed_run_lengths(mask, size[::-1]) for mask in _placed(objects, size)]
        return TrueImage(objects.boxes, objects.labels, objects.crowd, size, masks)


def _placed(objects: TrueObjects, size: tuple[int, int]) -> Iterator[PlacedMask]:
    """Draw each object in an image of this (width, height), only as much of the image as its box covers."""
    for box, shape in zip(objects.boxes, objects.shapes, strict=True):
        left, top = np.floor(box[:2] * size).astype(int).tolist()
        right, bottom = np.ceil(box[2:] * size).astype(int).tolist()
        pixels = drawn(shape, -np.array([left, top], float), np.array(size, float), (bottom - top, right - left))
        yield PlacedMask(pixels, left, top)


def _read_ahead(threads: Any, read: Any, images: Sequence[CheckedImage]) -> Iterator[list[DecodedImage]]:
    """Yield decoded images, some at a time, while the next ones are decoded."""
    chunks = [images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE)]
    waiting = [threads.submit(read, each) for each in chunks[0]] if chunks else []
    for following in [*chunks[1:], ()]:
        current, waiting = waiting, [threads.submit(read, each) for each in following]
        yield [each.result() for each in current]
