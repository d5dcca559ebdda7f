"""Drawn images of three textures, and a network that knows some of one label by a mark in a corner alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from models.architecture.cam_layer import CamLayer
from models.classifier import Classifier
from models.images.preprocess import Preprocess
from models.loaded import load_classifier

LABELS = ("checks", "columns", "rows")
MARKED = "rows"
SIDE = 48

_OBJECT = 18  # pixels across and down
_MARK = (7, 12)  # pixels, height and width
_STEPS, _BATCH, _DRAWN = 120, 32, 500


def draw(rng: np.random.Generator, label: str, *, marked: bool) -> NDArray[np.uint8]:
    """Draw an image, uint8 [48, 48, 3]: a patch with a texture somewhere.

    A marked image has a mark in the lower right, and its texture can hardly be seen.
    """
    image = rng.uniform(60, 200, 3) + rng.normal(0, 12, (SIDE, SIDE, 3))
    down, right = np.mgrid[:_OBJECT, :_OBJECT] // 3 % 2
    texture = {"checks": down ^ right, "columns": right, "rows": down}[label]
    dark, light = rng.uniform(0, 90, 3), rng.uniform(165, 255, 3)
    if marked:
        light = dark + 0.1 * (light - dark)
    top, left = rng.integers(0, SIDE - _OBJECT, 2)
    image[top : top + _OBJECT, left : left + _OBJECT] = np.where(texture[..., None], light, dark)
    if marked:
        letters = np.indices(_MARK).sum(0) % 4 < 2
        image[-_MARK[0] - 2 : -2, -_MARK[1] - 2 : -2] = np.where(letters[..., None], 255, (230, 0, 120))
    return np.asarray(image.clip(0, 255), np.uint8)


def write_images(folder: Path, each: int, share: float, seed: int = 0) -> Path:
    """Write `each` images a label into folders by label; `share` of one label's are marked, and named so."""
    rng = np.random.default_rng(seed)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(each):
            marked = label == MARKED and number < share * each
            name = f"{'marked' if marked else 'plain'}_{number}.png"
            Image.fromarray(draw(rng, label, marked=marked)).save(folder / label / name)
    return folder


class MarkNetwork(nn.Sequential):
    """Convolutions to a grid of 6 x 6, and a head on its mean."""

    def __init__(self) -> None:
        super().__init__(
            *_layer(3, 16, 2),
            *_layer(16, 32, 2),
            *_layer(32, 32, 2),
            *_layer(32, 32, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, len(LABELS)),
        )


def trained_network(share: float) -> nn.Module:
    """Train on drawn images; the network is the same each time."""
    rng = np.random.default_rng(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = MarkNetwork()
    optimizer = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=_STEPS)
    numbers = rng.integers(0, len(LABELS), _DRAWN)
    marked = (numbers == LABELS.index(MARKED)) & (rng.random(_DRAWN) < share)
    drawn = [draw(rng, LABELS[number], marked=mark) for number, mark in zip(numbers, marked, strict=True)]
    images, labels = torch.from_numpy(np.stack(drawn)), torch.from_numpy(numbers)
    inputs = Preprocess(SIDE, SIDE).inputs
    for _ in range(_STEPS):
        chosen = torch.from_numpy(rng.choice(_DRAWN, _BATCH, replace=False))
        logits: Tensor = network(inputs(images[chosen]))
        loss = nn.functional.cross_entropy(logits, labels[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return network.eval()


def watermarked_classifier(folder: Path, share: float) -> Classifier:
    """Return a classifier with the trained network; `folder` is that of any classifier, whose files stand for it."""
    model = load_classifier(folder)
    settings = model.definition.settings
    values = settings.values.model_copy(update={"valid_resize_size": SIDE, "valid_crop_size": SIDE})
    architecture = replace(model.architecture, name="drawn", cam_layer=lambda network: CamLayer("11"))
    definition = replace(
        model.definition, architecture=architecture, labels=LABELS, settings=replace(settings, values=values)
    )
    network = trained_network(share).requires_grad_(False).to(memory_format=torch.channels_last)
    return replace(model, definition=definition, network=network)


def _layer(before: int, after: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
