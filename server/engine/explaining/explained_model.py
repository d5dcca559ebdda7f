"""ExplainedModel: what the explainer needs to know of a model. Classifiers and detectors each have a file."""

from collections.abc import Sequence
from typing import Any, Protocol

from explain.algorithm import PassCount
from explain.network.work_items import WorkSlice
from explain.request.parameters import ExplanationParameters
from explain.run import ExplanationRun
from models.images.decoding import ImageLimits
from server.engine.device import OnDevice
from server.engine.explaining.payload import ExplanationPayload
from server.engine.explaining.slice_sizes import SliceSizes
from server.engine.payload import ImagePayload


class ExplainedModel(Protocol):
    """A model whose predictions are explained. Only the device's thread calls `begin`, `run` and `example`."""

    @property
    def pixels(self) -> int:
        """The pixels of one pass, the unit of cost."""

    def payload(self, parameters: ExplanationParameters, image: ImagePayload) -> ExplanationPayload | None:
        """Return the payload that explains an image; None where the reply leaves the explanation out.

        Raises ExplanationError where this model cannot explain it so.
        """

    def passes(self, payload: ExplanationPayload) -> PassCount:
        """Return how many passes an explanation takes, as far as it is known before it begins."""

    def begin(self, payload: ExplanationPayload) -> ExplanationRun:
        """Begin to explain a decoded image. Raises ExplanationError."""

    def run(self, slices: Sequence[WorkSlice], size: int) -> None:
        """Run slices of items with equal keys as one batch of `size` rows, see Executor.run."""

    def example(self, size: int) -> Sequence[WorkSlice]:
        """Return slices of an example, of `size` rows that need gradients where the model has such a size."""

    def reply(self, payload: ExplanationPayload, explanation: Any, limits: ImageLimits) -> dict[str, Any]:
        """Make the JSON object of an explained image, on any thread."""

    def warm_up(self, max_rows: int, on_device: OnDevice[Any]) -> tuple[SliceSizes, list[tuple[float, float]]]:
        """Measure slices of up to `max_rows` rows: the best sizes, and the (cost, seconds) of some slices.

        Call it on another thread than the device's. `on_device` runs one slice at a time on the device's thread: the
        engine scores in between.
        """
