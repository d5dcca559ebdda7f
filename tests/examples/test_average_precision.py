"""Average precision at an IoU of one half, beside COCO's own evaluation."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from examples.fridge.training.average_precision import (
    ImageResult,
    average_precisions,
    box_ious,
    mask_ious,
    mean_average_precision,
    precision_and_recall,
)

SIDE = 60
LABELS = 3


def reference(images: Sequence[dict[str, Any]], kind: str) -> float:
    """COCO's mean average precision at 0.5; kind "bbox" or "segm"."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    from pycocotools.mask import encode

    def entry(image: int, box: NDArray[Any], mask: NDArray[np.bool_], label: int) -> dict[str, Any]:
        left, top, right, bottom = (float(edge) for edge in box)
        shape = {"bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top)}
        region = encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"image_id": image, "category_id": int(label), "segmentation": region, "iscrowd": 0, **shape}

    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for index, one in enumerate(images, 1):
        for box, mask, label in zip(one["boxes"], one["masks"], one["labels"], strict=True):
            truth.append({"id": len(truth) + 1, **entry(index, box, mask, label)})
        for box, mask, label, score in zip(
            *(one["found"][key] for key in ("boxes", "masks", "labels", "scores")), strict=True
        ):
            found.append({"id": len(found) + 1, "score": float(score), **entry(index, box, mask, label)})
    with contextlib.redirect_stdout(io.StringIO()):
        known, said = COCO(), COCO()
        for data, annotations in ((known, truth), (said, found)):
            data.dataset = {
                "images": [{"id": index, "width": SIDE, "height": SIDE} for index in range(1, len(images) + 1)],
                "categories": [{"id": label} for label in range(LABELS)],
                "annotations": annotations,
            }
            data.createIndex()
        evaluation = COCOeval(known, said, kind)
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def some_images(seed: int, ties: bool) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(25):
        boxes, masks, labels = some_objects(rng, int(rng.integers(0, 5)))
        copies = rng.integers(0, 3, len(boxes))
        near = np.repeat(boxes, copies, axis=0)
        near = near + rng.integers(-3, 4, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 3)
        strange, _, others = some_objects(rng, int(rng.integers(0, 3)))
        found = np.concatenate([near, strange]).clip(0, SIDE)
        said = np.concatenate([np.repeat(labels, copies), others])
        said = np.where(rng.random(len(said)) < 0.2, rng.integers(0, LABELS, len(said)), said)
        scores = rng.random(len(found)).round(1 if ties else 9)
        replies = {"boxes": found, "masks": fill(rng, found), "labels": said, "scores": scores}
        images.append({"boxes": boxes, "masks": masks, "labels": labels, "found": replies})
    return images


def some_objects(rng: np.random.Generator, count: int) -> tuple[Any, Any, Any]:
    corner = rng.integers(0, SIDE - 25, (count, 2))
    boxes = np.concatenate([corner, corner + rng.integers(8, 25, (count, 2))], axis=1).astype(np.float64)
    return boxes, fill(rng, boxes), rng.integers(0, LABELS, count)


def fill(rng: np.random.Generator, boxes: NDArray[Any]) -> NDArray[np.bool_]:
    masks = np.zeros((len(boxes), SIDE, SIDE), dtype=np.bool_)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = rng.random((bottom - top, right - left)) < 0.9
    return masks


def results(images: Sequence[dict[str, Any]], kind: str) -> list[ImageResult]:
    ious, key = (box_ious, "boxes") if kind == "bbox" else (mask_ious, "masks")
    return [
        ImageResult(one["found"]["scores"], one["found"]["labels"], one["labels"], ious(one["found"][key], one[key]))
        for one in images
    ]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
@pytest.mark.parametrize("ties", [False, True], ids=["scores apart", "equal scores"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_reference(seed: int, ties: bool, kind: str) -> None:
    images = some_images(seed, ties)
    ours = mean_average_precision(results(images, kind))
    assert 0.1 < ours < 0.9, "neither all right nor all wrong"
    assert ours == pytest.approx(reference(images, kind), abs=1e-6)


def one_image(scores: list[float], found: list[int], ious: list[list[float]]) -> list[ImageResult]:
    return [ImageResult(np.array(scores), np.array(found), np.array([0, 1]), np.array(ious).reshape(-1, 2))]


def test_what_is_found_right_wrong_twice_or_not() -> None:
    assert average_precisions(one_image([0.9, 0.8], [0, 1], [[1, 0], [0, 0.5]])) == {0: 1.0, 1: 1.0}
    assert average_precisions(one_image([0.9], [0], [[0.49, 0]])) == {0: 0.0, 1: 0.0}
    assert average_precisions(one_image([], [], [])) == {0: 0.0, 1: 0.0}
    assert average_precisions(one_image([0.9, 0.8], [0, 0], [[0.9, 0], [1, 0]]))[0] == 1.0, "a late copy costs nothing"
    assert average_precisions(one_image([0.9, 0.8], [0, 0], [[0, 0], [1, 0]]))[0] == pytest.approx(0.5)


def test_precision_and_recall_count_every_mistake() -> None:
    twice = one_image([0.9, 0.8, 0.1, 0.1], [0, 0, 0, 2], [[0.9, 0], [1, 0], [0, 0], [1, 1]])
    assert precision_and_recall(twice) == (0.25, 0.5)
    assert precision_and_recall(twice + one_image([0.9, 0.8], [0, 1], [[1, 0], [0, 0.5]])) == (0.5, 0.75)
    assert precision_and_recall(one_image([], [], [])) == (0.0, 0.0)


def test_nothing_to_find_is_no_measure() -> None:
    empty = ImageResult(np.array([0.5]), np.array([0]), np.array([], dtype=np.int64), np.zeros((1, 0)))
    with pytest.raises(ValueError, match="no object"):
        mean_average_precision([empty])


def test_ious() -> None:
    boxes = box_ious(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 4, 4]]))
    assert boxes == pytest.approx(np.array([[1, 1 / 3, 0]]))
    masks = np.zeros((2, 4, 4), dtype=np.bool_)
    masks[0, :2] = True
    assert mask_ious(masks, masks) == pytest.approx(np.array([[1, 0], [0, 0]])), "an empty mask overlaps nothing"
