"""Classifier: a loaded network that gives every label of a picture a probability."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.architecture import ClassifierArchitecture
from models.definition import Definition
from models.errors import ModelError
from models.images import ImageLimits, decode
from models.picture import Look, Picture
from models.predictions import ClassScores, Prediction
from models.preprocess import Preprocess
from settings.model import ModelSettings


@dataclass(frozen=True, slots=True)
class Classifier:
    """A network with everything around it. Safe to use from several threads; it holds no state of its own."""

    definition: Definition
    network: nn.Module
    device: torch.device
    dtype: torch.dtype

    @property
    def architecture(self) -> ClassifierArchitecture:
        """The architecture of the network."""
        found = self.definition.architecture
        assert isinstance(found, ClassifierArchitecture)
        return found

    @property
    def preprocess(self) -> Preprocess:
        """The sizes and statistics of the pictures this network sees."""
        return self.definition.preprocess

    @property
    def draws(self) -> bool:
        """Whether `joined` takes long: it does not."""
        return False

    @property
    def pixels(self) -> int:
        """The pixels of one network input, the unit that batches are measured in."""
        return self.preprocess.crop**2

    def settings(self, given: Mapping[str, Any]) -> ModelSettings:
        """Return the settings of a request that sets `given`; SettingsError, as a classifier leaves nothing to set."""
        return self.definition.settings_for(given)

    def passes(self, settings: ModelSettings) -> int:
        """Return how many passes of the network a picture takes: one."""
        return 1

    def picture(self, data: bytes | memoryview, limits: ImageLimits) -> Tensor:
        """Decode and crop: uint8 [crop, crop, 3] in [0, 255] on the CPU. Raises ImageError."""
        return self.preprocess.picture(decode(data, limits))

    def read(self, data: bytes | memoryview, limits: ImageLimits, settings: ModelSettings) -> Picture:
        """Decode a picture to one look at its centre. Raises ImageError."""
        return Picture((Look(self.picture(data, limits), self.pixels),))

    def example(self, count: int) -> list[Tensor]:
        """Return `count` pictures of mid grey, for warm-up and probes."""
        side = self.preprocess.crop
        return [torch.full((side, side, 3), 128, dtype=torch.uint8) for _ in range(count)]

    def outputs(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Run one batch: uint8 [crop, crop, 3] each -> the logits of each, float32 [C] on the CPU."""
        with torch.inference_mode(), self._autocast():
            batch = torch.stack(tuple(views)).to(self.device)
            logits: Tensor = self.network(self.preprocess.inputs(batch))
            return list(logits.float().cpu())

    def joined(self, picture: Picture, outputs: Sequence[Tensor]) -> Prediction:
        """Turn the outputs of a picture's looks into a prediction; ModelError as `prediction`."""
        return self.prediction(outputs[0])

    def prediction(self, logits: Tensor) -> ClassScores:
        """Turn the logits of one picture into a prediction; ModelError where the network computed no numbers."""
        if not torch.isfinite(logits).all():
            raise ModelError("The network computed values that are not finite. Check its weights and the precision.")
        scores = self.definition.task.prediction(logits, self.definition.labels)
        assert isinstance(scores, ClassScores)
        return scores

    def prove(self) -> None:
        """Score an example; ModelError where the network cannot see pictures of this size or computes no numbers."""
        try:
            output = self.outputs(self.example(1))[0]
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            side = self.preprocess.crop
            raise ModelError(
                f"The network {self.definition.architecture.name} cannot score a picture of {side}x{side} pixels: "
                f"{reason.rstrip('.')}. Check valid_crop_size."
            ) from error
        self.prediction(output)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)
