"""The schedule of the detectors' training: image sizes, steps and learning rates.

The backbone first learns to classify small close-ups, as the classifier does. Then the detector learns on small scenes,
which is cheap, where the objects are, and last on scenes of the size that is served.
"""

from dataclasses import asdict, dataclass
from typing import Any

from examples.fridge.classifier.schedule import ClassifierStage

DRAWINGS = 1000
DRAWING_SIZE = (320, 240)
TEST_IMAGES = 100
TEST_SIZE = (640, 480)
SETTINGS = {
    "min_size": 160,
    "max_size": 288,
    "box_score_thresh": 0.3,
    "nms_iou_thresh": 0.5,
    "box_detections_per_img": 100,
}


@dataclass(frozen=True, slots=True)
class DetectorStage:
    """Some steps on whole scenes.

    size: width and height of the network's input. shown: how many images, `batch` at a time. rates: the learning rate
    at the start and at the end, linear in between. settled: whether the batch norms are frozen with the statistics of
    this size.
    """

    size: tuple[int, int]
    shown: int
    batch: int
    rates: tuple[float, float]
    settled: bool = False

    @property
    def steps(self) -> int:
        """How many steps the stage takes."""
        return self.shown // self.batch


CLOSEUPS = ClassifierStage(64, 4320, 24, (2e-3, 1e-3))
SCENES = (
    DetectorStage((128, 96), 960, 4, (5e-4, 4e-4)),
    DetectorStage((213, 160), 320, 4, (4e-4, 1e-5), settled=True),
)
# A mask costs as much as a third of a small image
MASKS_PER_IMAGE = 1


def recipe() -> dict[str, Any]:
    """Return all of these numbers as plain JSON values."""
    return {
        "drawings": [DRAWINGS, DRAWING_SIZE],
        "closeups": asdict(CLOSEUPS),
        "scenes": [asdict(stage) for stage in SCENES],
        "masks_per_image": MASKS_PER_IMAGE,
        "settings": SETTINGS,
        "test_images": TEST_IMAGES,
    }
