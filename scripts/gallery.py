"""Draw docs/gallery: what each algorithm says about pictures that the demo model judged rightly and wrongly.

python -m scripts.gallery, after `make serve` has built the demo model.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from examples.fridge.scene import draw_scene
from explain.catalog import algorithm_names
from explain.method import Method
from explain.network.executor import Executor
from explain.network.explained_image import highest
from explain.rendering.attribution_image import AttributionImage
from explain.rendering.drawing import draw, style
from explain.request.parameters import read_parameters
from explain.run import explain
from models.classifier import Classifier
from models.loaded import load_classifier

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs/gallery"
_FIRST_SEED = 710_001  # far from the seeds the demo model was trained on
_DRAWN = 100
_RIGHT, _WRONG = 1, 1
_WIDTH, _QUALITY = 600, 80


@dataclass(frozen=True, slots=True)
class Example:
    """A drawn picture, uint8 [H, W, 3], the label of its object, and the one the model gave, with its confidence."""

    seed: int
    picture: NDArray[np.uint8]
    truth: str
    said: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the model was right."""
        return self.truth == self.said


def examples(model: Classifier) -> Iterator[Example]:
    """Draw pictures of one object and score them."""
    for seed in range(_FIRST_SEED, _FIRST_SEED + _DRAWN):
        scene = draw_scene(seed, count=1)
        picture = model.preprocess.picture(Image.fromarray(scene.image))
        prediction = model.prediction(model.outputs([picture])[0])
        confidence, said = max(zip(prediction.probs, prediction.labels, strict=True))
        yield Example(seed, picture.numpy(), scene.objects[0].label, said, confidence)


def write(model: Classifier, example: Example, algorithm: str) -> Path:
    """Explain what the model said of an example, and write the picture of it."""
    parameters = read_parameters({"xai_algorithm": algorithm})
    method = Method.asked_for(parameters)
    explanation = explain(Executor.through(model), torch.from_numpy(example.picture), method, highest)
    values = explanation.attributions[0].values.numpy()
    subject = AttributionImage(example.picture, values, example.said, example.confidence, algorithm)
    drawn = Image.open(io.BytesIO(draw(subject, style(parameters))))
    small = drawn.resize((_WIDTH, round(drawn.height * _WIDTH / drawn.width)), Image.Resampling.LANCZOS)
    verdict = "right" if example.right else f"wrong_{example.truth}"
    file = GALLERY / f"{verdict}_{example.said}_{algorithm}.jpg"
    small.save(file, quality=_QUALITY, optimize=True, progressive=True)
    return file


def main() -> None:
    """Draw the pictures, and say what was written."""
    model = load_classifier(ROOT / "demo/fridge")
    GALLERY.mkdir(exist_ok=True)
    seen = list(examples(model))
    wrong = [example for example in seen if not example.right]
    print(f"{len(seen)} pictures, {len(wrong)} judged wrongly")
    right: dict[str, Example] = {}
    for example in seen:
        if example.right:
            right.setdefault(example.said, example)
    for example in [*right.values()][:_RIGHT] + wrong[:_WRONG]:
        for algorithm in algorithm_names():
            file = write(model, example, algorithm)
            print(f"{file.relative_to(ROOT)}: seed {example.seed}, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
