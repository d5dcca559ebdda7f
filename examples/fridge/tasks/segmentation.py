"""Several objects per image, with a box, a label and a mask each: a Mask R-CNN."""

from examples.fridge.seeds import TEST_BLOCK
from examples.fridge.task import DemoTask, DrawnSet

TASK = DemoTask(
    task="segmentation",
    sets=(
        DrawnSet("closeups", 0, 1000, (320, 240), closeups=True),
        DrawnSet("unseen_closeups", TEST_BLOCK, 50, (320, 240), closeups=True),
        DrawnSet("images", 0, 1000, (320, 240)),
        DrawnSet("unseen", TEST_BLOCK, 100, (640, 480)),
    ),
    jobs=("closeups", "segmentation"),
    metric="coco_ap50",
    least=0.7,
    more_metrics=("coco_box_ap50", "mean_average_precision"),
    several_objects=True,
)
