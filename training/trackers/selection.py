"""Which trackers a person asked for."""

from data.progress import ProgressReport
from training.errors import TrainingError
from training.trackers.mlflow import MlflowTracker
from training.trackers.tensorboard import TensorBoardTracker
from training.trackers.tracker import Tracker, TrackerError, TrackerGroup


def select_trackers(report: ProgressReport, *, tensorboard: bool = False, tracking: str | None = None) -> TrackerGroup:
    """Return the trackers of a run: TensorBoard's files, and a run at the MLflow server `tracking`, both if asked for.

    TrainingError where one cannot be made at all. A server that cannot be reached is only warned about.
    """
    trackers: list[Tracker] = []
    try:
        if tensorboard:
            trackers.append(TensorBoardTracker())
        if tracking is not None:
            trackers.append(MlflowTracker(tracking))
    except TrackerError as error:
        raise TrainingError(str(error)) from None
    return TrackerGroup(trackers, report)
