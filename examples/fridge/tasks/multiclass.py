"""One object and one label per image: a resnet18 that learns from close-ups first and from whole images last."""

from dataclasses import asdict

from examples.fridge.classifier.schedule import DRAWING_SIZE, DRAWINGS, SIZES, STAGES, TEST_IMAGES, TEST_SIZE
from examples.fridge.task import DemoTask, TrainedModel


def _train(seed: int) -> TrainedModel:
    # PyTorch takes seconds to load, and a model that is up to date does not need it
    from examples.fridge.classifier.classifier import train_classifier

    return train_classifier(seed)


TASK = DemoTask(
    automl_name="image-classification",
    outputs=("probs", "labels"),
    recipe={
        "drawings": [DRAWINGS, DRAWING_SIZE],
        "stages": [asdict(stage) for stage in STAGES],
        "sizes": SIZES,
        "test_images": [TEST_IMAGES, TEST_SIZE],
    },
    metric="accuracy",
    least=0.95,
    train=_train,
)
