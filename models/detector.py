"""Detector: a loaded network that finds objects in an image and, where the settings ask for it, in its tiles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from models.architecture.architecture import DetectorArchitecture
from models.definition import Definition
from models.detection.adapter import Detections, DetectorAdapter, DetectorInput
from models.detection.inputs import detector_inputs
from models.detection.instances import join
from models.errors import ModelError, first_line
from models.images.calibration import calibration_images
from models.images.decoding import DECODED_SCALE, ImageLimits, decode
from models.images.model_input import DecodedImage
from models.images.pixels import rgb_array
from models.predictions import Prediction
from models.runtime.deviation import Deviation
from models.runtime.precision import Precision
from models.runtime.runtime import EAGER, Graph, GraphSource

_EXAMPLE = (600, 800)  # height and width
_CALIBRATION = 3  # images
_MARGIN = 0.1  # of a score: below fp32, boxes that close to the threshold may come and go
_ALLOWED = {"fp32": 1e-3, "tf32": 1.0, "bf16": 4.0, "fp16": 1.0}  # deviation in pixels


@dataclass(frozen=True, slots=True)
class Detector:
    """A network with everything around it. One thread at a time may call `outputs`; the rest is thread-safe."""

    definition: Definition
    network: nn.Module
    device: torch.device
    precision: Precision
    graph: Graph
    runtime: str = EAGER

    @property
    def adapter(self) -> DetectorAdapter:
        """How networks of this architecture are fed and read."""
        architecture = self.definition.architecture
        assert isinstance(architecture, DetectorArchitecture)
        return architecture.adapter

    @property
    def slow_to_encode(self) -> bool:
        """Whether `combine` takes long, as it does for outlines."""
        return self.definition.task.slow_to_encode

    @property
    def pixels(self) -> int:
        """The pixels of the network's input for a usual image, by which batches are measured."""
        return self.adapter.pixels(self.definition.settings.values)

    def settings(self, given: Mapping[str, Any]) -> Any:
        """Return the settings of a request that sets `given` otherwise; SettingsError where it cannot."""
        return self.definition.settings_for(given)

    def max_inputs(self, settings: Any) -> int:
        """Return how many inputs an image has: one, and one for each tile."""
        grid = settings.tile_grid_size
        return 1 if grid is None else 1 + grid[0] * grid[1]

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: Any) -> DecodedImage:
        """Decode an image once, to an input of the whole image and one of each tile. Raises ImageError."""
        # tiles need the image at its full size
        enough = DECODED_SCALE * self.adapter.side(settings) if settings.tile_grid_size is None else None
        pixels = torch.from_numpy(rgb_array(decode(data, limits, exif=settings.exif, enough=enough)))
        return detector_inputs(pixels, self.adapter, settings)

    def example(self, count: int) -> list[DetectorInput]:
        """Return `count` inputs of mid grey, for warm-up and probes."""
        settings = self.definition.settings.values
        grey = torch.full((*_EXAMPLE, 3), 128, dtype=torch.uint8)
        return [self.adapter.prepare(grey, settings) for _ in range(count)]

    def calibration(self) -> list[list[DetectorInput]]:
        """Return the batches, each of its own shape, on which runtimes and precisions are compared."""
        settings = self.definition.settings.values
        images = (torch.from_numpy(np.array(image)) for image in calibration_images(_CALIBRATION))
        inputs = [self.adapter.prepare(image, settings) for image in images]
        return [[each, each] if number == 0 else [each] for number, each in enumerate(inputs)]

    def graph_source(self) -> GraphSource:
        """Return the computation that a runtime takes over."""
        return self.adapter.graph_source(self.network, self.precision)

    def with_runtime(self, name: str, graph: Graph) -> "Detector":
        """Return the same model with another runtime."""
        return replace(self, graph=graph, runtime=name)

    def deviation(self, outputs: Sequence[Detections], expected: Sequence[Detections]) -> Deviation:
        """Compare outputs with those expected in float32, for the same inputs of one size."""
        settings: Any = self.definition.settings.values
        certain = 0.0 if self.precision.full else settings.box_score_thresh + _MARGIN
        distances = [_distance(one, other, certain) for one, other in zip(outputs, expected, strict=True)]
        side = math.sqrt(self.pixels)
        return Deviation(
            "boxes, in pixels of the network's input,", side * max(distances), _ALLOWED[self.precision.name]
        )

    def outputs(self, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch of inputs of one shape."""
        with torch.inference_mode():
            return self.adapter.detect(self.network, self.graph, inputs)

    def combine(self, image: DecodedImage, outputs: Sequence[Detections]) -> Prediction:
        """Join the detections in all inputs of an image to its prediction."""
        instances = join(image, outputs, image.inputs[0].data.size)
        return self.definition.task.prediction(instances, self.definition.labels)

    def smoke_test(self) -> None:
        """Score an example; ModelError where the network cannot take its size or a weight is not finite."""
        broken = [name for name, each in self.network.named_parameters() if not torch.isfinite(each).all()]
        if broken:
            raise ModelError(f"{self.definition.folder.weights}: the values of {broken[0]} are not finite.")
        try:
            self.outputs(self.example(1))
        except (RuntimeError, ValueError, AssertionError) as error:
            sizes = ", ".join(f"{name} {value}" for name, value in self.definition.sizes().items())
            raise ModelError(
                f"The network {self.definition.architecture.name} cannot look at a picture ({sizes}): "
                f"{first_line(error).rstrip('.')}. Check these sizes."
            ) from error


def _distance(one: Detections, other: Detections, certain: float) -> float:
    """Return the largest distance of an edge to that of the nearest box of the same label, as a share of the side.

    Only boxes with scores above `certain` must have a counterpart; the distance is infinite where one has none.
    """
    distances = (one.boxes[:, None] - other.boxes[None]).abs().amax(2)
    distances[one.labels[:, None] != other.labels[None]] = math.inf
    # a column of infinities, so that there is a minimum where the other side has no boxes
    unmatched = [distances.new_full((len(each.labels), 1), math.inf) for each in (one, other)]
    nearest = torch.cat([distances, unmatched[0]], 1).amin(1), torch.cat([distances.T, unmatched[1]], 1).amin(1)
    counted = [near[each.scores > certain] for near, each in zip(nearest, (one, other), strict=True)]
    return float(torch.cat([torch.zeros(1), *counted]).max())
