"""COCO's numbers, beside pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from pycocotools.mask import area, encode

from tests.training.metrics.drawn_detections import LABELS, NEVER_TRUE, DrawnImage, draw_images
from training.metrics.coco import NAMES, coco_numbers
from training.metrics.detections import encoded_masks


def reference(images: Sequence[DrawnImage], kind: str, sized_by_masks: bool) -> COCOeval:
    """What COCO's own tool says; kind "bbox" or "segm"."""
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for index, image in enumerate(images):
        shares = (*image.truth.size, *image.truth.size)
        for each, (left, top, right, bottom) in enumerate(image.truth.boxes * shares):
            region = encode(np.asfortranarray(image.true_pixels[each], np.uint8))
            size = float(area(region)) if sized_by_masks else (right - left) * (bottom - top)
            box = [left, top, right - left, bottom - top]
            truth.append({"id": len(truth) + 1, "image_id": index, "segmentation": region, "bbox": box, "area": size})
            truth[-1] |= {"category_id": image.truth.labels[each], "iscrowd": int(image.truth.crowd[each])}
        for each, (left, top, right, bottom) in enumerate(image.detected.boxes * shares):
            entry = {
                "image_id": index,
                "category_id": image.detected.labels[each],
                "score": image.detected.scores[each],
            }
            region = encode(np.asfortranarray(image.found_pixels[each], np.uint8))
            place = {"segmentation": region} if kind == "segm" else {"bbox": [left, top, right - left, bottom - top]}
            found.append(entry | place)
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [
                {"id": index, "width": image.truth.size[0], "height": image.truth.size[1]}
                for index, image in enumerate(images)
            ],
            "categories": [{"id": label} for label in range(len(LABELS))],
            "annotations": truth,
        }
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("ties", [False, True], ids=["scores apart", "equal scores"])
@pytest.mark.parametrize(("by_masks", "with_masks"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize("seed", range(2))
def test_equals_pycocotools(seed: int, by_masks: bool, with_masks: bool, ties: bool) -> None:
    images = draw_images(seed, 30, ties)
    detected, truth = [image.detected for image in images], [image.truth for image in images]
    masks = (
        [encoded_masks(image.detected, image.truth.size) for image in images],
        [encoded_masks(image.truth, image.truth.size) for image in images],
    )
    ours = coco_numbers(detected, truth, len(LABELS), masks if with_masks else None, by_masks=by_masks)
    expected = reference(images, "segm" if by_masks else "bbox", with_masks)
    assert ours.overall == pytest.approx(dict(zip(NAMES, expected.stats, strict=True)), abs=1e-6)
    precision = expected.eval["precision"][:, :, :, 0, -1]
    assert ours.per_label == {
        label: {"ap": pytest.approx(precision[..., label].mean()), "ap50": pytest.approx(precision[0, :, label].mean())}
        for label in range(len(LABELS))
        if label != NEVER_TRUE
    }
    assert 0.1 < ours.overall["ap50"] < 0.9, "neither all right nor all wrong"


def test_numbers_of_nothing_are_left_out() -> None:
    images = draw_images(1, 30)[::5]
    ours = coco_numbers([each.detected for each in images], [each.truth for each in images], 4, None, by_masks=False)
    assert ours.overall == {}, "there are no objects"
    assert ours.per_label == {}
