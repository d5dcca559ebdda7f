"""Objects, the boxes around them, and their outlines."""

from collections.abc import Sequence

from models.detection.instances import Instances, objects
from models.detection.masks import with_outlines
from models.labels import Label
from models.predictions import Boxes, Prediction
from models.task import Task


def _prediction(instances: Instances, labels: Sequence[Label]) -> Prediction:
    return Boxes(with_outlines(instances, objects(instances, labels)))


TASK = Task("segmentation", "image-instance-segmentation", _prediction, slow_to_encode=True)
