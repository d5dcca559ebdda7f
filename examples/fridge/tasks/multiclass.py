"""One object a picture, one label: a resnet18 that learns from close-ups first and from whole pictures last."""

from dataclasses import asdict

from examples.fridge.classifier_schedule import DRAWING_SIZE, DRAWINGS, SIZES, STAGES, TEST_PICTURES
from examples.fridge.task import DemoTask, Trained


def _train(seed: int) -> Trained:
    # PyTorch takes seconds to load, and a model that is already built needs none of it.
    from examples.fridge.classifier import train_classifier

    return train_classifier(seed)


TASK = DemoTask(
    automl_name="image-classification",
    outputs=("probs", "labels"),
    recipe={
        "drawings": [DRAWINGS, DRAWING_SIZE],
        "stages": [asdict(stage) for stage in STAGES],
        "sizes": SIZES,
        "test_pictures": TEST_PICTURES,
    },
    measure="accuracy",
    least=0.95,
    train=_train,
)
