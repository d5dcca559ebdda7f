"""ExplanationPayload: the payload of a job that explains an image, kept between its slices."""

import time
from dataclasses import dataclass

from torch import Tensor

from explain.request.parameters import ExplanationParameters
from explain.request.targets import TargetSelector
from explain.run import ExplanationRun
from server.engine.payload import ImagePayload

_WRITING_MARGIN = 1.2  # multiplies the predicted time: an explanation must also be written


@dataclass(slots=True, eq=False, kw_only=True)
class ExplanationPayload(ImagePayload):
    """An image to be explained. `run` is None until it has begun. `select_targets` chooses labels, of classifiers.

    `started`, `deadline`, and `parked`, since when it waits for its CPU tasks, are monotonic seconds.
    """

    parameters: ExplanationParameters
    select_targets: TargetSelector | None = None
    started: float = 0.0
    deadline: float = float("inf")
    parked: float = 0.0
    run: ExplanationRun | None = None

    @property
    def pixels(self) -> Tensor:
        """The pixels of the model input, uint8 [H, W, 3]."""
        assert self.image is not None
        pixels: Tensor = self.image.inputs[0].data
        return pixels

    @property
    def keeps_data(self) -> bool:
        """Whether the reply shows the whole image, which is decoded again for that."""
        return self.parameters.visualizations and self.parameters.extent == "picture"

    @property
    def ready(self) -> bool:
        """Whether the run has begun and its CPU tasks are done, so that it can go on."""
        return self.run is not None and self.run.ready

    def out_of_time(self, growth: float) -> bool:
        """Return whether more work, `growth` times the work so far, would end after the deadline or the time budget."""
        budget_ms = self.parameters.explain_budget_ms
        end = self.deadline if budget_ms is None else min(self.deadline, self.started + budget_ms / 1000)
        now = time.monotonic()
        return now + _WRITING_MARGIN * growth * (now - self.started) > end

    def release(self) -> None:
        """Drop the data, so that its memory is freed."""
        ImagePayload.release(self)
        self.run = None
