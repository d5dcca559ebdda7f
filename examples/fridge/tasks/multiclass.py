"""One object and one label per image: a resnet18 from random weights."""

from examples.fridge.seeds import TEST_BLOCK
from examples.fridge.task import DemoTask, DrawnSet

TASK = DemoTask(
    task="multiclass",
    sets=(DrawnSet("images", 0, 2200, (256, 192)), DrawnSet("unseen", TEST_BLOCK, 200, (320, 240))),
    jobs=("multiclass",),
    metric="accuracy",
    least=0.95,
)
