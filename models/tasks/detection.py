"""Objects and the boxes around them."""

from collections.abc import Sequence

from models.detection.instances import Instances, objects
from models.predictions import Boxes, Prediction
from models.task import Task


def _prediction(instances: Instances, labels: Sequence[str]) -> Prediction:
    return Boxes(objects(instances, labels))


TASK = Task("detection", "image-object-detection", _prediction)
