"""Classifier: a loaded network that gives each label a probability for an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.architecture.architecture import ClassifierArchitecture
from models.definition import Definition
from models.errors import ModelError, first_line
from models.images.calibration import calibration_images
from models.images.decoding import DECODED_SCALE, ImageLimits, decode
from models.images.model_input import DecodedImage, ModelInput
from models.images.preprocess import Preprocess
from models.predictions import ClassScores, Prediction
from models.runtime.deviation import Deviation
from models.runtime.precision import Precision
from models.runtime.runtime import EAGER, Graph, GraphSource
from settings.model import ModelSettings

_ALLOWED = {"fp32": 1e-5, "tf32": 0.01, "bf16": 0.05, "fp16": 0.01}  # deviation of a probability
_CALIBRATION = 8  # images
_GREY = 128
_DIMENSIONS = 3  # of an input
HALFWAY_FROM = 48  # images; in smaller batches a few more or less matter little
_EXAMPLES = 2  # some tracers take a batch of one for a constant


@dataclass(frozen=True, slots=True)
class Classifier:
    """A network with everything around it: `graph` computes its scores, explanations use its layers.

    Only one thread at a time may call `outputs`; the rest is thread-safe.
    """

    definition: Definition
    network: nn.Module
    device: torch.device
    precision: Precision
    graph: Graph
    runtime: str = EAGER

    @property
    def architecture(self) -> ClassifierArchitecture:
        """The architecture of the network."""
        architecture = self.definition.architecture
        assert isinstance(architecture, ClassifierArchitecture)
        return architecture

    @property
    def preprocess(self) -> Preprocess:
        """The sizes and statistics with which images are prepared."""
        return self.definition.preprocess

    @property
    def slow_to_encode(self) -> bool:
        """False: `combine` is quick."""
        return False

    @property
    def pixels(self) -> int:
        """The pixels of one network input, by which batches are measured."""
        return self.preprocess.crop**2

    def settings(self, given: Mapping[str, Any]) -> ModelSettings:
        """Return the settings of a request; SettingsError where it sets any, since a classifier has none to set."""
        return self.definition.settings_for(given)

    def max_inputs(self, settings: ModelSettings) -> int:
        """Return how many inputs an image has: one."""
        return 1

    def crop(self, data: bytes | memoryview, limits: ImageLimits) -> Tensor:
        """Decode and crop: uint8 [crop, crop, 3] in [0, 255] on the CPU. Raises ImageError."""
        preprocess = self.preprocess
        image = decode(data, limits, exif=preprocess.statistics.exif, enough=DECODED_SCALE * preprocess.resize)
        return preprocess.cropped(image)

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: ModelSettings) -> DecodedImage:
        """Decode an image to one input, its centre crop. Raises ImageError."""
        return DecodedImage((ModelInput(self.crop(data, limits), self.pixels),))

    def example(self, count: int) -> list[Tensor]:
        """Return `count` inputs of mid grey, for warm-up and probes."""
        return list(_grey(self.preprocess, count))

    def calibration(self) -> list[list[Tensor]]:
        """Return the batches on which runtimes and precisions are compared."""
        inputs = [self.preprocess.cropped(image) for image in calibration_images(_CALIBRATION)]
        return [inputs, inputs[:1]]

    def graph_source(self) -> GraphSource:
        """Return the computation that a runtime takes over."""
        return classifier_graph(self.preprocess, self.network)

    def with_runtime(self, name: str, graph: Graph) -> "Classifier":
        """Return the same model with scores from another runtime."""
        return replace(self, graph=graph, runtime=name)

    def deviation(self, outputs: Sequence[Tensor], expected: Sequence[Tensor]) -> Deviation:
        """Compare outputs with those expected in float32, for the same inputs."""
        pairs = zip(map(self.prediction, outputs), map(self.prediction, expected), strict=True)
        differences = [abs(p - q) for one, other in pairs for p, q in zip(one.probs, other.probs, strict=True)]
        return Deviation("probabilities", max(differences), _ALLOWED[self.precision.name])

    def outputs(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Run one batch: uint8 [crop, crop, 3] each -> the logits of each, float32 [C] on the CPU.

        Inputs that hold several images, [n, crop, crop, 3] each, get [n, C] each.
        """
        if inputs[0].ndim > _DIMENSIONS:
            return self._of_several(inputs)
        count = len(inputs)
        shape = batch_size(count, self.device), *inputs[0].shape
        # a GPU copies from pinned memory by itself; PyTorch keeps that memory for the next batch
        batch = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        # not by PyTorch, whose threads would go on spinning on the cores that the runtime needs next
        np.stack([one.numpy() for one in inputs], out=batch.numpy()[:count])
        return list(self._logits(batch, count))

    def _of_several(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        counts = [len(several) for several in inputs]
        count = sum(counts)
        batch = torch.empty(
            (batch_size(count, self.device), *inputs[0].shape[1:]), dtype=torch.uint8, device=self.device
        )
        for part, several in zip(torch.split(batch[:count], counts), inputs, strict=True):
            part.copy_(several, non_blocking=True)
        return list(torch.split(self._logits(batch, count), counts))

    def _logits(self, batch: Tensor, count: int) -> Tensor:
        with torch.inference_mode():
            (logits,) = self.graph(batch)
            return logits.float().cpu()[:count]

    def combine(self, image: DecodedImage, outputs: Sequence[Tensor]) -> Prediction:
        """Turn the output of an image's only input into a prediction; ModelError as for `prediction`."""
        return self.prediction(outputs[0])

    def prediction(self, logits: Tensor) -> ClassScores:
        """Turn the logits of one image, float32 [C], into a prediction; ModelError where they are not finite."""
        if not torch.isfinite(logits).all():
            raise ModelError("The network computed values that are not finite. Check its weights and the precision.")
        scores = self.definition.task.prediction(logits, self.definition.labels)
        assert isinstance(scores, ClassScores)
        return scores

    def smoke_test(self) -> None:
        """Score an example; ModelError where the network cannot take this size or its outputs are not finite."""
        # larger than the crop: resizing then compiles its code now, not while the first request waits
        grey = Image.new("RGB", (2 * self.preprocess.resize, 2 * self.preprocess.resize), (_GREY, _GREY, _GREY))
        try:
            output = self.outputs([self.preprocess.cropped(grey)])[0]
        except (RuntimeError, ValueError, AssertionError) as error:
            side = self.preprocess.crop
            raise ModelError(
                f"The network {self.definition.architecture.name} cannot score a picture of {side}x{side} pixels: "
                f"{first_line(error).rstrip('.')}. Check valid_crop_size, or preprocessor_config.json."
            ) from error
        self.prediction(output)


def batch_size(count: int, device: torch.device) -> int:
    """Return the size to which a batch of `count` images is padded; the results of the padding are dropped.

    A GPU selects kernels anew for each size, which took an H100 about a second. It therefore gets only powers of two
    and, from 48 on, the sizes halfway between them; warm-up has run all of these.
    """
    if device.type != "cuda":
        return count
    size = 1 << (count - 1).bit_length()
    halfway = 3 * size // 4
    return halfway if halfway >= max(count, HALFWAY_FROM) else size


def classifier_graph(preprocess: Preprocess, network: nn.Module) -> GraphSource:
    """Return the computation of a classifier for a runtime: uint8 [N, crop, crop, 3] -> logits [N, C]."""
    return GraphSource(_NormalisedNetwork(preprocess, network), _grey(preprocess, _EXAMPLES))


def _grey(preprocess: Preprocess, count: int) -> Tensor:
    # not by PyTorch, as in `outputs`
    return torch.from_numpy(np.full((count, preprocess.crop, preprocess.crop, 3), _GREY, dtype=np.uint8))


class _NormalisedNetwork(nn.Module):
    """A network from bytes to logits: the runtime normalises the inputs too."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocess: Preprocess, network: nn.Module) -> None:
        super().__init__()
        self.preprocess, self.network = preprocess, network
        mean, std = preprocess.statistics.constants(next(network.parameters()).device)
        # on the device from the start: a CUDA graph cannot hold copies from the CPU's memory
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.network(self.preprocess.inputs(crops, (self.mean, self.std)))
        return logits
