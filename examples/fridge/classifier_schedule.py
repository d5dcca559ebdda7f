"""The numbers of the classifier's training: what it sees, how large, how often, and how fast it learns from it.

Learning on small pictures is cheap: a picture of 64 pixels takes a quarter of the time of one of 144. So most steps are
taken on small close-ups, and each later stage shows the objects half as large again, which the network follows with
little loss, up to the scale at which it will be served.
"""

from dataclasses import dataclass

SIZES = {"valid_resize_size": 164, "valid_crop_size": 144, "train_crop_size": 144}
DRAWINGS = 2200
DRAWING_SIZE = (256, 192)
TEST_PICTURES = 400
TEST_SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class ClassifierStage:
    """Some steps at one size.

    pixels: width and height of what the network sees. shown: how many pictures, `batch` at a time. rates: the
    learning rate at the start and at the end, evenly in between. closeup: whether to cut out the object or to show the
    whole scene.
    """

    pixels: int
    shown: int
    batch: int
    rates: tuple[float, float]
    closeup: bool = True

    @property
    def steps(self) -> int:
        """How many steps the stage takes."""
        return -(-self.shown // self.batch)


STAGES = (
    ClassifierStage(64, 4200, 24, (2e-3, 1.5e-3)),
    ClassifierStage(96, 960, 16, (1.2e-3, 7e-4)),
    ClassifierStage(144, 800, 8, (6e-4, 1e-5), closeup=False),
)
