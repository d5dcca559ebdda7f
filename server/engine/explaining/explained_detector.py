"""ExplainedDetector: how the boxes and masks of a detector are explained in an engine."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from explain.algorithm import PassCount
from explain.catalog import algorithm
from explain.detection.executor import DetectorExecutor
from explain.detection.run import begin_boxes
from explain.detection.selection import check_labels
from explain.detection.work_items import DetectionPass
from explain.errors import ExplanationError
from explain.network.work_items import WorkSlice
from explain.quality import PASSES_PER_MEASURE
from explain.regions.ranking import warm_up as compile_regions
from explain.request.parameters import ExplanationParameters
from explain.run import ExplanationRun
from models.detector import Detector
from models.images.decoding import ImageLimits, decode
from models.predictions import Boxes
from server.engine.device import OnDevice
from server.engine.explaining.object_reply import ObjectReply
from server.engine.explaining.payload import ExplanationPayload
from server.engine.explaining.slice_sizes import SliceSizes
from server.engine.payload import ImagePayload


class ExplainedDetector:
    """A detector; the methods are those of ExplainedModel. `model()` returns it with the runtime that scores now."""

    def __init__(self, model: Callable[[], Detector]) -> None:
        self._model = model
        self._executor = DetectorExecutor(model)
        self._labels = model().definition.labels

    @property
    def pixels(self) -> int:
        """The pixels of the network's input for a usual image."""
        return self._model().pixels

    def payload(self, parameters: ExplanationParameters, image: ImagePayload) -> ExplanationPayload | None:
        """Return the payload that explains an image; None to leave the explanation out, as the hosted endpoint does.

        Raises ExplanationError where this model cannot explain it so.
        """
        if parameters.compatibility == "azureml":
            return None
        parameters = parameters.for_kind("detector")
        chosen = algorithm(parameters.algorithm)
        if "detector" not in chosen.explains:
            raise ExplanationError(
                "algorithm_unsupported",
                f"This model finds objects, and the algorithm {chosen.name} cannot tell those of one label apart. Use "
                'odam, integrated_gradients or xrai, or set "compatibility": "azureml" to get the boxes alone.',
            )
        if parameters.against is not None:
            raise ExplanationError(
                "xai_parameters_invalid", "'against' is of models that score whole pictures. Leave it out for boxes."
            )
        self._check_aspect(parameters)
        check_labels(parameters, self._labels)
        return ExplanationPayload(data=image.data, settings=image.settings, parameters=parameters)

    def passes(self, payload: ExplanationPayload) -> PassCount:
        """Return how many passes an explanation takes: one for each input, and those of one input's targets."""
        parameters = payload.parameters
        targets = len(parameters.target or ()) or parameters.top_k or 1
        scoring = self._model().max_inputs(payload.settings)
        explaining = algorithm(parameters.algorithm).passes(parameters, targets)
        more = PASSES_PER_MEASURE * len(parameters.quality) * targets + scoring
        if explaining.most == 1:  # the pass that scores
            more += self._executor.family.extra_passes - 1
        return PassCount(explaining.least + more, explaining.most + more)

    def begin(self, payload: ExplanationPayload) -> ExplanationRun:
        """Begin to explain a decoded image."""
        assert payload.image is not None
        return begin_boxes(self._executor, payload.image, self._labels, payload.parameters, payload.out_of_time)

    def run(self, slices: Sequence[WorkSlice], size: int) -> None:
        """Run one row."""
        self._executor.run(slices, size)

    def example(self, size: int) -> Sequence[WorkSlice]:
        """Return a pass that scores an example."""
        return [WorkSlice(DetectionPass(self._model().example(1)[0]), 0, 1)]

    def reply(self, payload: ExplanationPayload, explanation: Any, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained image."""
        assert payload.image is not None
        boxes = self._model().combine(payload.image, explanation.detections)
        full_image = None
        if payload.keeps_data:
            full_image = np.asarray(decode(payload.data, limits, exif=payload.settings.exif))
        assert isinstance(boxes, Boxes)
        return ObjectReply(boxes, explanation, payload.parameters, self._labels, full_image).content()

    def warm_up(self, max_rows: int, on_device: OnDevice[Any]) -> tuple[SliceSizes, list[tuple[float, float]]]:
        """Time a pass that scores. Rows run one by one: each is large enough to keep the device busy."""
        compile_regions()

        def timed() -> float:
            started = time.monotonic()
            self.run(self.example(1), 1)
            return time.monotonic() - started

        return SliceSizes(), [(self.pixels, min(on_device(timed) for _ in range(2)))]

    def _check_aspect(self, parameters: ExplanationParameters) -> None:
        aspect, family = parameters.aspect, self._executor.family
        if aspect not in family.aspects:
            known = ", ".join(sorted(family.aspects))
            raise ExplanationError(
                "algorithm_unsupported", f"This model has no aspect {aspect!r} to explain. It has: {known}."
            )
        if aspect not in algorithm(parameters.algorithm).aspects:
            known = ", ".join(sorted(algorithm(parameters.algorithm).aspects & family.aspects))
            raise ExplanationError(
                "algorithm_unsupported",
                f"The algorithm {parameters.algorithm} explains one number, so not the aspect {aspect!r}. Ask for one "
                f"of {known}, or use odam.",
            )
