"""Several objects per image, with a box and a label each: a Faster R-CNN that starts from a network of close-ups."""

from examples.fridge.seeds import TEST_BLOCK
from examples.fridge.task import DemoTask, DrawnSet

TASK = DemoTask(
    task="detection",
    sets=(
        DrawnSet("images", 0, 1300, (320, 240), closeups="closeups"),
        DrawnSet("unseen", TEST_BLOCK, 100, (640, 480), closeups="unseen_closeups"),
    ),
    jobs=("closeups", "detection"),
    metric="coco_ap50",
    least=0.8,
    more_metrics=("mean_average_precision",),
    several_objects=True,
)
