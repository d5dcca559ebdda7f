"""The lines in docs/models.md write a folder that scores as torchvision does."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from models.loaded import load_classifier
from models.predictions import ClassScores
from tests.support.images import LIMITS, encoded, painted
from tests.support.repository import ROOT

PAGE = (ROOT / "docs/models.md").read_text()


def test_weights_of_torchvision_score_as_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    network = torchvision.models.resnet50(weights=None).eval()
    with monkeypatch.context() as offline:
        offline.setattr(torchvision.models, "resnet50", lambda weights: network)  # pretrained ones are a download
        offline.chdir(tmp_path)
        exec(lines, {})
    model = load_classifier(tmp_path / "resnet50")
    pixels = painted(1, 300, 240)
    (found,) = model.outputs([model.crop(encoded(pixels, "PNG"), LIMITS)])
    scores = model.prediction(found)
    weights = torchvision.models.ResNet50_Weights.IMAGENET1K_V1  # whose sizes are those of AutoML for Images
    with torch.no_grad():
        expected = network(weights.transforms()(Image.fromarray(pixels))[None])[0].softmax(0)
    assert isinstance(scores, ClassScores)
    assert list(scores.labels) == weights.meta["categories"]
    assert np.allclose(scores.probs, expected.tolist(), atol=1e-4)
