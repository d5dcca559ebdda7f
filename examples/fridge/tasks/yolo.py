"""Several objects per image, with a box and a label each: a small yolov5 from random weights."""

from examples.fridge.seeds import TEST_BLOCK
from examples.fridge.task import DemoTask, DrawnSet

TASK = DemoTask(
    task="detection",
    sets=(DrawnSet("images", 0, 2000, (240, 180)), DrawnSet("unseen", TEST_BLOCK, 300, (640, 480))),
    jobs=("yolo",),
    metric="coco_ap50",
    least=0.8,
    more_metrics=("mean_average_precision",),
    several_objects=True,
)
