"""The schedule of yolov5's training: image sizes, steps and learning rates.

Most steps are on small squares, which cost a third of the time; the last stage has the size that is served.
"""

from typing import Any

from examples.fridge.training.stage import TrainingStage

SETTINGS: dict[str, Any] = {"img_size": 160, "model_size": "small", "box_score_thresh": 0.1, "nms_iou_thresh": 0.5}
DRAWINGS = 2000
DRAWING_SIZE = (240, 180)
TEST_IMAGES = 300
TEST_SIZE = (640, 480)

STAGES = (TrainingStage(96, 8000, 16, (1.5e-3, 6e-4)), TrainingStage(160, 3200, 16, (8e-4, 1e-5)))
