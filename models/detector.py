"""Detector: a loaded network that finds objects in pictures, in the whole of each and, if asked to, in its tiles."""

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
from models.detection.instances import join
from models.errors import ImageError, ModelError, first_line
from models.images.calibration import calibration_images
from models.images.decoding import DECODED_SCALE, ImageLimits, decode
from models.images.model_input import DecodedImage, ModelInput
from models.images.tiling import Tile, tiles
from models.predictions import Prediction
from models.runtime.deviation import Deviation
from models.runtime.precision import Precision
from models.runtime.runtime import EAGER, Graph, GraphSource

_EXAMPLE = (600, 800)
_CALIBRATION = 3
_UNSURE = 0.1  # of a score: in a smaller type, boxes so close to the threshold may come and go
_SAME = {"fp32": 1e-3, "tf32": 1.0, "bf16": 4.0, "fp16": 1.0}  # pixels


@dataclass(frozen=True, slots=True)
class Detector:
    """A network with everything around it. `outputs` is for one thread at a time, the rest for any."""

    definition: Definition
    network: nn.Module
    device: torch.device
    precision: Precision
    graph: Graph
    runtime: str = EAGER

    @property
    def adapter(self) -> DetectorAdapter:
        """How networks of this architecture see."""
        found = self.definition.architecture
        assert isinstance(found, DetectorArchitecture)
        return found.adapter

    @property
    def slow_to_encode(self) -> bool:
        """Whether `combine` takes long, as outlines do."""
        return self.definition.task.slow_to_encode

    @property
    def pixels(self) -> int:
        """The pixels of the network's input for a usual picture, the unit that batches are measured in."""
        return self.adapter.pixels(self.definition.settings.values)

    def settings(self, given: Mapping[str, Any]) -> Any:
        """Return the settings of a request that sets `given` otherwise; SettingsError where it cannot."""
        return self.definition.settings_for(given)

    def max_inputs(self, settings: Any) -> int:
        """Return how many inputs an image has: one, and one for each tile."""
        grid = settings.tile_grid_size
        return 1 if grid is None else 1 + grid[0] * grid[1]

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: Any) -> DecodedImage:
        """Decode an image once to an input of the whole of it, and one of each tile. Raises ImageError."""
        # tiles are as sharp as the image allows
        enough = DECODED_SCALE * self.adapter.side(settings) if settings.tile_grid_size is None else None
        pixels = torch.from_numpy(np.array(decode(data, limits, exif=settings.exif, enough=enough)))
        height, width = pixels.shape[:2]
        parts = [Tile(0, 0, width, height), *_tiles(width, height, settings)]
        seen = [
            self.adapter.prepare(pixels[tile.top : tile.bottom, tile.left : tile.right], settings) for tile in parts
        ]
        inputs = tuple(ModelInput(one, one.pixels, (one.padded, settings)) for one in seen)
        return DecodedImage(inputs, settings, tuple(parts))

    def example(self, count: int) -> list[DetectorInput]:
        """Return `count` inputs of mid grey, for warm-up and probes."""
        settings = self.definition.settings.values
        grey = torch.full((*_EXAMPLE, 3), 128, dtype=torch.uint8)
        return [self.adapter.prepare(grey, settings) for _ in range(count)]

    def calibration(self) -> list[list[DetectorInput]]:
        """Return batches, each of its own shape, on which two ways to compute are compared."""
        settings = self.definition.settings.values
        parts = (torch.from_numpy(np.array(picture)) for picture in calibration_images(_CALIBRATION))
        inputs = [self.adapter.prepare(part, settings) for part in parts]
        return [[one, one] if number == 0 else [one] for number, one in enumerate(inputs)]

    def graph_source(self) -> GraphSource:
        """Return what a runtime is to compute."""
        return self.adapter.graph_source(self.network, self.precision)

    def with_runtime(self, name: str, graph: Graph) -> "Detector":
        """Return the same model with another runtime."""
        return replace(self, graph=graph, runtime=name)

    def deviation(self, outputs: Sequence[Detections], expected: Sequence[Detections]) -> Deviation:
        """Tell how far outputs are from those expected, of inputs of one size."""
        settings: Any = self.definition.settings.values
        sure = 0.0 if self.precision.full else settings.box_score_thresh + _UNSURE
        apart = [_apart(one, other, sure) for one, other in zip(outputs, expected, strict=True)]
        side = math.sqrt(self.pixels)
        return Deviation("boxes, in pixels of the network's input,", side * max(apart), _SAME[self.precision.name])

    def outputs(self, inputs: Sequence[DetectorInput]) -> list[Detections]:
        """Run one batch of inputs of one shape."""
        with torch.inference_mode():
            return self.adapter.detect(self.network, self.graph, inputs)

    def combine(self, picture: DecodedImage, outputs: Sequence[Detections]) -> Prediction:
        """Join what was found in all inputs of an image."""
        instances = join(picture, outputs, picture.inputs[0].data.size)
        return self.definition.task.prediction(instances, self.definition.labels)

    def smoke_test(self) -> None:
        """ModelInput at an example; ModelError where that is not possible or the weights are no numbers."""
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


def _apart(one: Detections, other: Detections, sure: float) -> float:
    """Return the largest distance of an edge to that of the nearest box of its label, as a share of the side.

    Only boxes with scores above `sure` need one; infinite where there is none.
    """
    distances = (one.boxes[:, None] - other.boxes[None]).abs().amax(2)
    distances[one.labels[:, None] != other.labels[None]] = math.inf
    lonely = [distances.new_full((len(found.labels), 1), math.inf) for found in (one, other)]
    nearest = torch.cat([distances, lonely[0]], 1).amin(1), torch.cat([distances.T, lonely[1]], 1).amin(1)
    known = [near[found.scores > sure] for near, found in zip(nearest, (one, other), strict=True)]
    return float(torch.cat([torch.zeros(1), *known]).max())


def _tiles(width: int, height: int, settings: Any) -> list[Tile]:
    grid = settings.tile_grid_size
    if grid is None:
        return []
    try:
        return tiles(width, height, grid, settings.tile_overlap_ratio)
    except ValueError as error:
        message = f"The picture is too small for its tiles: {error}. Send a larger picture, or ask for fewer tiles."
        raise ImageError("tiles_empty", message) from None
