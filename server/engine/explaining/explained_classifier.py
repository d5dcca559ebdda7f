"""ExplainedClassifier: how the labels of a classifier are explained in an engine."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explain.algorithm import PassCount
from explain.catalog import algorithm
from explain.errors import ExplanationError
from explain.integration.quadrature import Quadrature
from explain.network.executor import Executor
from explain.network.work_items import ForwardPass, PathGradients, ScoredRows, WorkSlice
from explain.quality import PASSES_PER_MEASURE
from explain.regions.ranking import warm_up as compile_regions
from explain.rendering.attribution_image import FullImage
from explain.request.parameters import ExplanationParameters
from explain.request.targets import ExplainedTarget, fixed_targets, target_count, target_selector
from explain.run import ExplanationRun, begin
from models.classifier import Classifier
from models.images.decoding import ImageLimits, decode
from server.engine.device import OnDevice
from server.engine.explaining.payload import ExplanationPayload
from server.engine.explaining.reply import explanation_reply
from server.engine.explaining.slice_sizes import SliceSizes, timings
from server.engine.payload import ImagePayload


class ExplainedClassifier:
    """A classifier; the methods are those of ExplainedModel.

    `score` scores images with the runtime in use, as `model.outputs` does with its own.
    """

    def __init__(self, model: Classifier, score: Callable[[Sequence[Tensor]], Sequence[Tensor]] | None = None) -> None:
        self._model = model
        self._executor = Executor.for_model(model, score)
        self._preprocess = model.preprocess
        self._labels = model.definition.labels
        self._independent = model.definition.task.name == "multilabel"

    @property
    def pixels(self) -> int:
        """The pixels of the crop."""
        return self._model.pixels

    def payload(self, parameters: ExplanationParameters, image: ImagePayload) -> ExplanationPayload:
        """Return the payload that explains an image. Raises ExplanationError where this model cannot explain it so."""
        parameters = parameters.for_kind("classifier")
        chosen = algorithm(parameters.algorithm)
        if "classifier" not in chosen.explains:
            raise ExplanationError(
                "algorithm_unsupported",
                f"The algorithm {chosen.name} explains boxes, and this model scores whole pictures. Use xrai, "
                "integrated_gradients or gradcam.",
            )
        self._executor.require(chosen.needs)
        selector = target_selector(parameters, self._labels, independent=self._independent)
        return ExplanationPayload(
            data=image.data, settings=image.settings, parameters=parameters, select_targets=selector
        )

    def passes(self, payload: ExplanationPayload) -> PassCount:
        """Return how many passes an explanation takes; with one target where only the scores will tell."""
        parameters = payload.parameters
        targets = target_count(parameters, self._labels)
        explaining = algorithm(parameters.algorithm).passes(parameters, targets)
        measuring = PASSES_PER_MEASURE * len(parameters.quality) * targets
        return PassCount(explaining.least + measuring, explaining.most + measuring)

    def begin(self, payload: ExplanationPayload) -> ExplanationRun:
        """Begin to explain a decoded image. Raises ExplanationError."""
        assert payload.select_targets is not None
        return begin(self._executor, payload.pixels, payload.parameters, payload.select_targets, payload.out_of_time)

    def run(self, slices: Sequence[WorkSlice], size: int) -> None:
        """Run slices of items with equal keys as one batch."""
        self._executor.run(slices, size)

    def example(self, size: int) -> Sequence[WorkSlice]:
        """Return a slice of path gradients."""
        _, path, _ = self._example(size)
        return [WorkSlice(path, 0, size)]

    def reply(self, payload: ExplanationPayload, explanation: Any, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained image."""
        prediction = self._model.prediction(explanation.logits)
        scores = {"probs": prediction.probs, "labels": prediction.labels}
        full_image = None
        if payload.keeps_data:
            pixels = np.asarray(decode(payload.data, limits, exif=self._preprocess.statistics.exif))
            full_image = FullImage(pixels, self._preprocess.box(pixels.shape[1], pixels.shape[0]))
        return scores | explanation_reply(
            payload.pixels,
            prediction,
            explanation,
            payload.parameters,
            independent=self._independent,
            full_image=full_image,
        )

    def warm_up(self, max_rows: int, on_device: OnDevice[Any]) -> tuple[SliceSizes, list[tuple[float, float]]]:
        """Measure slices of up to `max_rows` rows, see ExplainedModel."""
        compile_regions()
        # on the device's thread, since PyTorch fills tensors of this size with several threads
        forward, path, scored = on_device(partial(self._example, max_rows))
        # fewer rows than threads would make these wait for each other
        threads = min(max_rows, on_device(torch.get_num_threads))
        gradients = timings(
            lambda size: self._executor.run([WorkSlice(path, 0, size)], size), max_rows, on_device, first=threads
        )
        others = timings(lambda size: self._executor.run([WorkSlice(forward, 0, 1)], size), max_rows, on_device)
        scores = timings(lambda size: self._executor.run([WorkSlice(scored, 0, 1)], size), max_rows, on_device)
        costs: list[tuple[float, float]] = [(2 * size * self.pixels, seconds) for size, seconds in gradients.items()]
        return SliceSizes.best(gradients, others, scores), costs

    def _example(self, rows: int) -> tuple[ForwardPass, PathGradients, ScoredRows]:
        (row,) = self._model.example(1)
        image = self._executor.explained_image(row, fixed_targets(0))
        alphas, inputs = Quadrature((0.5,) * rows, (1.0,) * rows), image.inputs
        return (
            ForwardPass(image.network, inputs, "logit"),
            PathGradients(image.network, inputs, inputs, alphas, ExplainedTarget(0), "logit"),
            ScoredRows(1, lambda number: row, lambda number, logits: None),
        )
