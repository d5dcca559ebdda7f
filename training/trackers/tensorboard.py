"""TensorBoard: event files beside the run, by tensorboardX."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from training.trackers.tracker import RunStatus, TrackedRun, TrackerError

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

FOLDER = "tensorboard"
"""Where the event files are, within the folder of a run."""


class TensorBoardTracker:
    """Writes a curve for each metric, over epochs, and the settings of the run as a text."""

    name = "TensorBoard"

    def __init__(self) -> None:
        """TrackerError where tensorboardX is not installed."""
        try:
            import tensorboardX
        except ImportError:
            raise TrackerError(
                "TensorBoard's files need tensorboardX, which is not installed. Install it: pip install tensorboardX, "
                "or leave --tensorboard out."
            ) from None
        self._open = tensorboardX.SummaryWriter
        self._writer: SummaryWriter | None = None

    def start(self, run: TrackedRun) -> None:
        """Open a new event file. A run that goes on replaces what was written of epochs from its first one on."""
        replaced = run.first_epoch if run.first_epoch else None
        # Else a file that was begun within the same second would be overwritten
        suffix = f".{run.first_epoch}"
        self._writer = self._open(str(run.folder / FOLDER), purge_step=replaced, filename_suffix=suffix)
        settings = json.dumps(dict(run.parameters), indent=2, default=str)
        # Four blanks make it a listing in TensorBoard, which reads texts as Markdown
        self._writer.add_text("settings", "    " + settings.replace("\n", "\n    "), run.first_epoch)
        self._writer.flush()

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write the numbers of an epoch, so that TensorBoard shows them at once."""
        if self._writer is None:
            return
        for name, value in metrics.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def end(self, status: RunStatus) -> None:
        """Close the event file; TensorBoard does not show how a run ended."""
        if self._writer is not None:
            self._writer.close()
