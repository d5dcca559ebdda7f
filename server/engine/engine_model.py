"""EngineModel: the methods of a model that an engine calls. Classifier and Detector in `models` have them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage
from models.predictions import Prediction


class EngineModel(Protocol):
    """A model on its device. One thread at a time may call `outputs`; any thread may call the rest."""

    @property
    def pixels(self) -> int:
        """The pixels of one usual network input, which is the unit of cost."""

    @property
    def runtime(self) -> str:
        """The name of the runtime that computes its outputs."""

    @property
    def slow_to_encode(self) -> bool:
        """Whether `combine` is so slow that it must not run beside a device that computes on the same cores."""

    def settings(self, given: Mapping[str, Any]) -> Any:
        """Return the settings of a request with these `inference_parameters`; SettingsError where one does not fit."""

    def max_inputs(self, settings: Any) -> int:
        """Return the largest number of inputs that an image has under these settings."""

    def read(self, data: bytes, limits: ImageLimits, settings: Any) -> DecodedImage:
        """Decode an image, on any thread. Raises ImageError."""

    def example(self, count: int) -> Sequence[Any]:
        """Return inputs of one shape for warm-up and checks."""

    def outputs(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Run one batch of inputs of one shape, and return an output for each."""

    def combine(self, image: DecodedImage, outputs: Sequence[Any]) -> Prediction:
        """Combine the outputs of all inputs of an image into its prediction, on any thread."""
