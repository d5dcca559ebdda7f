"""Several objects per image, with a box and a label each: a Faster R-CNN that starts from a network of close-ups."""

from examples.fridge.seeds import TEST_BLOCK
from examples.fridge.task import DemoTask, DrawnSet

TASK = DemoTask(
    task="detection",
    sets=(
        DrawnSet("closeups", 0, 1000, (320, 240), closeups=True),
        DrawnSet("unseen_closeups", TEST_BLOCK, 50, (320, 240), closeups=True),
        DrawnSet("images", 0, 1000, (320, 240)),
        DrawnSet("unseen", TEST_BLOCK, 100, (640, 480)),
    ),
    jobs=("closeups", "detection"),
    metric="coco_ap50",
    least=0.8,
    more_metrics=("mean_average_precision",),
    several_objects=True,
)
