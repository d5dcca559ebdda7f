"""Several objects per image, with a box, a label and a mask each: a Mask R-CNN on a resnet18."""

from examples.fridge.detector.schedule import recipe
from examples.fridge.task import DemoTask, TrainedModel


def _train(seed: int) -> TrainedModel:
    # PyTorch takes seconds to load, and a model that is up to date does not need it
    from examples.fridge.detector.detector import train_detector

    return train_detector(seed, masks=True)


TASK = DemoTask(
    automl_name="image-instance-segmentation",
    outputs=("boxes",),
    recipe=recipe(),
    metric="mask_map50",
    least=0.7,
    train=_train,
    more_metrics=("box_map50",),
    several_objects=True,
)
