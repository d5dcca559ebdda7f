"""The schedule of the classifier's training: image sizes, steps and learning rates.

Small images are cheap: one of 64 pixels takes a quarter of the time of one of 144. So most steps are taken on small
close-ups. Each later stage shows the objects half as large again, up to the size that is served; the network adapts to
that with little loss.
"""

from dataclasses import dataclass

from examples.fridge.training.stage import TrainingStage

SIZES = {"valid_resize_size": 164, "valid_crop_size": 144, "train_crop_size": 144}
DRAWINGS = 2200
DRAWING_SIZE = (256, 192)
# Enough to reject a bad model; the test suite tests on more and larger images
TEST_IMAGES = 200
TEST_SIZE = (320, 240)


@dataclass(frozen=True, slots=True)
class ClassifierStage(TrainingStage):
    """Some steps on crops. closeup: whether to crop the object or to show the whole scene."""

    closeup: bool = True


STAGES = (
    ClassifierStage(64, 4200, 24, (2e-3, 1.5e-3)),
    ClassifierStage(96, 960, 16, (1.2e-3, 7e-4)),
    ClassifierStage(144, 800, 8, (6e-4, 1e-5), closeup=False),
)
