"""Several objects per image, with a box and a label each: a Faster R-CNN on a resnet18."""

from examples.fridge.detector.schedule import recipe
from examples.fridge.task import DemoTask, TrainedModel


def _train(seed: int) -> TrainedModel:
    # PyTorch takes seconds to load, and a model that is up to date does not need it
    from examples.fridge.detector.detector import train_detector

    return train_detector(seed, masks=False)


TASK = DemoTask(
    automl_name="image-object-detection",
    outputs=("boxes",),
    recipe=recipe(),
    metric="box_map50",
    least=0.8,
    train=_train,
    several_objects=True,
)
