"""The schedule of yolov5's training: image sizes, steps and learning rates.

Most steps are on small squares, which cost a third of the time; the last stage has the size that is served.
"""

from dataclasses import dataclass
from typing import Any

SETTINGS: dict[str, Any] = {"img_size": 160, "model_size": "small", "box_score_thresh": 0.1, "nms_iou_thresh": 0.5}
DRAWINGS = 2000
DRAWING_SIZE = (240, 180)
TEST_IMAGES = 300
TEST_SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class YoloStage:
    """Some steps at one image size.

    pixels: width and height of the network's input. shown: how many images, `batch` at a time. rates: the learning rate
    at the start and at the end, linear in between.
    """

    pixels: int
    shown: int
    batch: int
    rates: tuple[float, float]

    @property
    def steps(self) -> int:
        """How many steps the stage takes."""
        return -(-self.shown // self.batch)


STAGES = (YoloStage(96, 8000, 16, (1.5e-3, 6e-4)), YoloStage(160, 3200, 16, (8e-4, 1e-5)))
