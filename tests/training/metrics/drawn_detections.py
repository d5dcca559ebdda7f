"""Objects at random places, and what a middling detector would say of them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection.masks import PlacedMask
from training.metrics.detections import DetectedImage, TrueImage
from training.metrics.mask_runs import placed_run_lengths

LABELS = ("can", "carton", "milk_bottle", "water_bottle")
NEVER_TRUE, NEVER_DETECTED = 2, 3
LEAST, MOST = 6, 130  # pixels a side: small, medium and large objects as COCO divides them


@dataclass(frozen=True)
class DrawnImage:
    """`true_pixels` and `found_pixels` are the masks as bool [H, W]."""

    truth: TrueImage
    detected: DetectedImage
    true_pixels: list[NDArray[np.bool_]]
    found_pixels: list[NDArray[np.bool_]]


def draw_images(seed: int, count: int, ties: bool = False) -> list[DrawnImage]:
    """Some have no objects, some no detections, some crowds."""
    rng = np.random.default_rng(seed)
    return [_draw(rng, objects=index % 5, ties=ties) for index in range(count)]


def _draw(rng: np.random.Generator, objects: int, ties: bool) -> DrawnImage:
    width, height = (int(side) for side in rng.integers(150, 320, 2))
    boxes = _boxes(rng, objects, width, height)
    labels = rng.choice([0, 1, NEVER_DETECTED], objects)
    copies = rng.integers(0, 3, objects)
    near = (np.repeat(boxes, copies, axis=0) + rng.integers(-3, 4, (copies.sum(), 4))).clip(0, [width, height] * 2)
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    found = np.concatenate([near, _boxes(rng, int(rng.integers(0, 4)), width, height)])
    said = np.concatenate([np.repeat(labels, copies), rng.integers(0, 3, len(found) - len(near))])
    said = np.where((rng.random(len(said)) < 0.2) | (said == NEVER_DETECTED), rng.integers(0, 3, len(said)), said)
    true_pixels, found_pixels = ([_ragged(rng, box, width, height) for box in each] for each in (boxes, found))
    shares = np.array([width, height, width, height])
    truth = TrueImage(boxes / shares, labels, rng.random(objects) < 0.15, (width, height))
    detected = DetectedImage(found / shares, rng.random(len(found)).round(1 if ties else 9), said)
    return DrawnImage(
        replace(truth, masks=[masked(pixels) for pixels in true_pixels]),
        replace(detected, masks=[masked(pixels) for pixels in found_pixels]),
        true_pixels,
        found_pixels,
    )


def masked(pixels: NDArray[np.bool_]) -> Any:
    """Return the run lengths of a mask of a whole image."""
    return placed_run_lengths(PlacedMask(pixels, 0, 0), pixels.shape)


def _boxes(rng: np.random.Generator, count: int, width: int, height: int) -> NDArray[np.int64]:
    corner = rng.integers(0, [width - MOST, height - MOST], (count, 2))
    return np.concatenate([corner, corner + rng.integers(LEAST, MOST, (count, 2))], axis=1)


def _ragged(rng: np.random.Generator, box: NDArray[np.int64], width: int, height: int) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    pixels = np.zeros((height, width), np.bool_)
    pixels[top:bottom, left:right] = rng.random((bottom - top, right - left)) < 0.9
    return pixels
