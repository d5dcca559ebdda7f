"""Progressive sizes: training begins with smaller images, which cost less, and ends with the full size."""

Stages = tuple[tuple[float, float], ...]
"""Until which share of the training sides have which share of their final length; from the last one on, all of it."""

CLASSIFIER_STAGES: Stages = ((0.66, 4 / 9), (0.86, 2 / 3))
DETECTOR_STAGES: Stages = ((0.7, 0.6),)


def share_of_side(stages: Stages, progress: float) -> float:
    """Return the share of their final length that sides have at a progress of training in [0, 1)."""
    return next((share for until, share in stages if progress < until), 1.0)
