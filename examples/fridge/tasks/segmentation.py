"""Several objects per image, with a box, a label and a mask each: a Mask R-CNN."""

from examples.fridge.seeds import TEST_BLOCK
from examples.fridge.task import DemoTask, DrawnSet

TASK = DemoTask(
    task="segmentation",
    sets=(
        DrawnSet("images", 0, 1300, (320, 240), closeups="closeups"),
        DrawnSet("unseen", TEST_BLOCK, 100, (640, 480), closeups="unseen_closeups"),
    ),
    jobs=("closeups", "segmentation"),
    metric="coco_ap50",
    least=0.7,
    more_metrics=("coco_box_ap50", "mean_average_precision"),
    several_objects=True,
)
