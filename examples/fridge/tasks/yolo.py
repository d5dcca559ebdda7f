"""Several objects a picture, a box around each: a small yolov5 that starts from random weights."""

from dataclasses import asdict

from examples.fridge.task import DemoTask, Trained
from examples.fridge.yolo_schedule import DRAWING_SIZE, DRAWINGS, SETTINGS, STAGES, TEST_PICTURES, TEST_SIZE


def _train(seed: int) -> Trained:
    # PyTorch takes seconds to load, and a model that is already built needs none of it.
    from examples.fridge.yolo_detector import train_yolo

    return train_yolo(seed)


TASK = DemoTask(
    automl_name="image-object-detection",
    outputs=("boxes",),
    recipe={
        "settings": SETTINGS,
        "drawings": [DRAWINGS, DRAWING_SIZE],
        "stages": [asdict(stage) for stage in STAGES],
        "test_pictures": [TEST_PICTURES, TEST_SIZE],
    },
    measure="box_map50",
    least=0.8,
    train=_train,
    crowded=True,
)
