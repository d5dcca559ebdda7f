"""Draw docs/gallery: explanations by each algorithm of images that the demo model classifies rightly and wrongly.

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
from explain.catalog import algorithm, algorithm_names
from explain.network.executor import Executor
from explain.rendering.attribution_image import AttributionImage
from explain.rendering.drawing import draw, style
from explain.request.parameters import read_parameters
from explain.request.targets import predicted_target
from explain.run import explain
from models.classifier import Classifier
from models.loaded import load_classifier

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs/gallery"
_FIRST_SEED = 710_001  # far from the seeds that the demo model was trained on
_DRAWN = 500
_RIGHT, _WRONG = 1, 1
_WIDTH, _QUALITY = 600, 80


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """A drawn image, uint8 [H, W, 3], the label of its object, and the predicted label with its probability."""

    seed: int
    pixels: NDArray[np.uint8]
    label: str
    predicted: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the prediction is right."""
        return self.label == self.predicted


def scored_images(model: Classifier) -> Iterator[ScoredImage]:
    """Draw images of one object and score them."""
    for seed in range(_FIRST_SEED, _FIRST_SEED + _DRAWN):
        scene = draw_scene(seed, count=1)
        pixels = model.preprocess.cropped(Image.fromarray(scene.image))
        prediction = model.prediction(model.outputs([pixels])[0])
        confidence, predicted = max(zip(prediction.probs, prediction.labels, strict=True))
        yield ScoredImage(seed, pixels.numpy(), scene.objects[0].label, predicted, confidence)


def write(model: Classifier, scored: ScoredImage, name: str) -> Path:
    """Explain the prediction for an image, and write the drawing of the explanation."""
    parameters = read_parameters({"xai_algorithm": name})
    explanation = explain(Executor.for_model(model), torch.from_numpy(scored.pixels), parameters, predicted_target)
    values = explanation.attributions[0].values.numpy()
    image = AttributionImage(scored.pixels, values, scored.predicted, scored.confidence, name)
    drawn = Image.open(io.BytesIO(draw(image, style(parameters))))
    small = drawn.resize((_WIDTH, round(drawn.height * _WIDTH / drawn.width)), Image.Resampling.LANCZOS)
    verdict = "right" if scored.right else f"wrong_{scored.label}"
    file = GALLERY / f"{verdict}_{scored.predicted}_{name}.jpg"
    small.save(file, quality=_QUALITY, optimize=True, progressive=True)
    return file


def main() -> None:
    """Draw the gallery, and print what was written."""
    model = load_classifier(ROOT / "demo/fridge")
    GALLERY.mkdir(exist_ok=True)
    scored = list(scored_images(model))
    wrong = [each for each in scored if not each.right]
    print(f"{len(scored)} images, {len(wrong)} classified wrongly")
    right = [each for each in scored if each.right]
    executor = Executor.for_model(model)
    found = [algorithm(name) for name in algorithm_names()]
    suited = [each.name for each in found if "classifier" in each.explains and executor.has(each.needs)]
    for chosen in [*right[:_RIGHT], *wrong[:_WRONG]]:
        for name in suited:
            file = write(model, chosen, name)
            print(f"{file.relative_to(ROOT)}: seed {chosen.seed}, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
