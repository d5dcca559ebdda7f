"""Several objects per image, with a box and a label each: a small yolov5 trained from random weights."""

from dataclasses import asdict

from examples.fridge.task import DemoTask, TrainedModel
from examples.fridge.yolo.schedule import DRAWING_SIZE, DRAWINGS, SETTINGS, STAGES, TEST_IMAGES, TEST_SIZE


def _train(seed: int) -> TrainedModel:
    # PyTorch takes seconds to load, and a model that is up to date does not need it
    from examples.fridge.yolo.detector import train_yolo

    return train_yolo(seed)


TASK = DemoTask(
    automl_name="image-object-detection",
    outputs=("boxes",),
    recipe={
        "settings": SETTINGS,
        "drawings": [DRAWINGS, DRAWING_SIZE],
        "stages": [asdict(stage) for stage in STAGES],
        "test_images": [TEST_IMAGES, TEST_SIZE],
    },
    metric="box_map50",
    least=0.8,
    train=_train,
    several_objects=True,
)
