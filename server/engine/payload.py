"""Payloads of jobs: an image, from its encoded bytes to its outputs. The scheduler does not read them."""

from dataclasses import dataclass, field
from typing import Any

from models.images.model_input import DecodedImage, ModelInput


@dataclass(slots=True, eq=False)
class ImagePayload:
    """One image of a request.

    `data` holds the encoded bytes until `image` holds the decoded image. `settings` are those of the model for this
    image. `decode_s` and `device_s` are the seconds that it spent in these stages, and `cpu_s` those in which an
    explanation waited for its CPU tasks.
    """

    data: bytes = b""
    settings: Any = None
    image: DecodedImage | None = None
    decode_s: float = 0.0
    device_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def keeps_data(self) -> bool:
        """Whether the encoded bytes are needed after decoding."""
        return False

    def release(self) -> None:
        """Drop the data, so that its memory is freed."""
        self.data, self.image = b"", None


@dataclass(slots=True, eq=False)
class ScorePayload(ImagePayload):
    """An image to be scored. `outputs` holds the outputs of its inputs so far, by the index of the input."""

    outputs: dict[int, Any] = field(default_factory=dict)

    def open_inputs(self) -> dict[int, ModelInput]:
        """Return the inputs of the image that have not run yet, by their index."""
        assert self.image is not None
        return {index: one for index, one in enumerate(self.image.inputs) if index not in self.outputs}

    def release(self) -> None:
        """Drop the data, so that its memory is freed."""
        ImagePayload.release(self)
        self.outputs = {}
