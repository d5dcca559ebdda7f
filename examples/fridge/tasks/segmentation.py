"""Several objects a picture, a box, a label and a mask each: a Mask R-CNN on a resnet18."""

from examples.fridge.detector_schedule import recipe
from examples.fridge.task import DemoTask, Trained


def _train(seed: int) -> Trained:
    # PyTorch takes seconds to load, and a model that is already built needs none of it.
    from examples.fridge.detector import train_detector

    return train_detector(seed, masks=True)


TASK = DemoTask(
    automl_name="image-instance-segmentation",
    outputs=("boxes",),
    recipe=recipe(),
    measure="mask_map50",
    least=0.7,
    train=_train,
    also=("box_map50",),
    crowded=True,
)
