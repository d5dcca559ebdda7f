"""Objects and the boxes around them."""

from collections.abc import Sequence

from models.detection.instances import Instances, objects
from models.labels import Label
from models.predictions import Boxes, Prediction
from models.task import Task


def _prediction(instances: Instances, labels: Sequence[Label]) -> Prediction:
    return Boxes(objects(instances, labels))


TASK = Task("detection", "image-object-detection", _prediction)
