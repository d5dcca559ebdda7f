"""EngineModel: what an engine needs of a model. models.classifier.Classifier and models.detector.Detector are."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from models.images.decoding import ImageLimits
from models.images.model_input import DecodedImage
from models.predictions import Prediction


class EngineModel(Protocol):
    """A model on its device. `outputs` is for one thread at a time, the rest for any."""

    @property
    def pixels(self) -> int:
        """The pixels of one usual network input, the unit of cost."""

    @property
    def runtime(self) -> str:
        """The name of what computes its outputs."""

    @property
    def slow_to_encode(self) -> bool:
        """Whether `combine` takes so long that it takes turns with a device on the same cores."""

    def settings(self, given: Mapping[str, Any]) -> Any:
        """Return the settings of a request with these `inference_parameters`; SettingsError where one does not fit."""

    def max_inputs(self, settings: Any) -> int:
        """Return how many inputs an image has under these settings, at most."""

    def read(self, data: bytes, limits: ImageLimits, settings: Any) -> DecodedImage:
        """Decode an image, on any thread; ImageError where that is not possible."""

    def example(self, count: int) -> Sequence[Any]:
        """Return inputs of one shape for warm-up and checks."""

    def outputs(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Run one batch of inputs of one shape; an output for each."""

    def combine(self, picture: DecodedImage, outputs: Sequence[Any]) -> Prediction:
        """Turn the outputs of all inputs of an image into its prediction, on any thread."""
