"""TensorBoard: event files beside the run, by tensorboardX."""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

from training.trackers.tracker import RunStatus, TrackedRun, TrackerError

FOLDER = "tensorboard"
"""Where the event files are, within the folder of a run."""


class TensorBoardTracker:
    """Writes a curve for each metric, over epochs, and the settings of the run as a text.

    Not by tensorboardX's SummaryWriter: its thread ends silently where the disk is full, and then a full queue makes
    the caller wait for ever.
    """

    name = "TensorBoard"

    def __init__(self) -> None:
        """TrackerError where tensorboardX is not installed."""
        try:
            from tensorboardX import event_file_writer
        except ImportError:
            raise TrackerError(
                "TensorBoard's files need tensorboardX, which is not installed. Install it: pip install tensorboardX, "
                "or leave --tensorboard out."
            ) from None
        self._open = event_file_writer.EventsWriter
        self._file: Any = None

    def start(self, run: TrackedRun) -> None:
        """Open a new event file. A run that goes on replaces what was written of epochs from its first one on."""
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.summary import text

        folder = run.folder / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        # The epoch, else a file that was begun within the same second would be overwritten
        self._file = self._open(str(folder / "events"), f".{run.first_epoch}")
        if run.first_epoch:
            self._write(run.first_epoch, session_log=SessionLog(status=SessionLog.START))
        settings = json.dumps(dict(run.parameters), indent=2, default=str)
        # Four blanks make it a listing in TensorBoard, which reads texts as Markdown
        self._write(run.first_epoch, summary=text("settings", "    " + settings.replace("\n", "\n    ")))
        self._file.flush()

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write the numbers of an epoch, so that TensorBoard shows them at once."""
        from tensorboardX.summary import scalar

        if self._file is None:
            return
        for name, value in metrics.items():
            if math.isfinite(value):
                self._write(epoch, summary=scalar(name, value))
        self._file.flush()

    def end(self, status: RunStatus) -> None:
        """Close the event file; TensorBoard does not show how a run ended."""
        if self._file is not None:
            self._file.close()

    def _write(self, epoch: int, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write_event(Event(wall_time=time.time(), step=epoch, **content))
