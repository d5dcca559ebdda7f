"""COCO's twelve numbers of a detector, by faster-coco-eval. See https://cocodataset.org/#detection-eval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from training.metrics.detections import DetectedImage, TrueImage
from training.metrics.mask_runs import EncodedMask
from training.metrics.ranking import Floats

NAMES = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)

_ABSENT = -1.0


@dataclass(frozen=True, slots=True)
class CocoNumbers:
    """`overall`: COCO's numbers, by their names in NAMES. `per_label`: `ap` and `ap50` by the index of a label.

    All are in [0, 1]. What is undefined, such as the numbers of small objects where none is small, is left out.
    """

    overall: dict[str, float]
    per_label: dict[int, dict[str, float]]


Masks = tuple[Sequence[Sequence[EncodedMask]], Sequence[Sequence[EncodedMask]]]
"""The masks of all detections and of all objects, image by image."""


def coco_numbers(
    detected: Sequence[DetectedImage],
    truth: Sequence[TrueImage],
    label_count: int,
    masks: Masks | None,
    *,
    by_masks: bool,
) -> CocoNumbers:
    """Judge all detections, whatever their scores, by their boxes or their masks.

    An object is as large as its mask, where there are masks.
    """
    found, present = masks or (None, None)
    known = _collection(truth, truth, label_count, present, by_masks)
    said = _collection(detected, truth, label_count, found, by_masks)
    evaluation = COCOeval_faster(known, said, "segm" if by_masks else "bbox", print_function=_say_nothing)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    precision = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]  # [overlaps, recalls, labels]
    return CocoNumbers(
        {name: float(value) for name, value in zip(NAMES, evaluation.stats, strict=True) if value != _ABSENT},
        {
            label: {"ap": float(precision[:, :, label].mean()), "ap50": float(precision[0, :, label].mean())}
            for label in range(label_count)
            if (precision[:, :, label] != _ABSENT).all()
        },
    )


def _collection(
    images: Sequence[DetectedImage | TrueImage],
    truth: Sequence[TrueImage],
    label_count: int,
    masks: Sequence[Sequence[EncodedMask]] | None,
    by_masks: bool,
) -> COCO:
    annotations: list[dict[str, Any]] = []
    for index, (image, there) in enumerate(zip(images, truth, strict=True)):
        boxes = _in_pixels(image.boxes, there.size)
        areas = boxes[:, 2:].prod(1)
        extra: dict[str, Sequence[Any]]
        if isinstance(image, DetectedImage):
            extra = {"score": np.asarray(image.scores, np.float64).tolist()}
        else:
            extra = {"iscrowd": np.asarray(image.crowd, np.int64).tolist()}
        if masks is not None and (by_masks or "iscrowd" in extra):
            assert image.masks is not None
            areas = np.array([sum(mask.counts[1::2]) for mask in image.masks])
            extra |= {"segmentation": masks[index]} if by_masks else {}
        for label, box, area, *rest in zip(
            np.asarray(image.labels).tolist(), boxes.tolist(), areas.tolist(), *extra.values(), strict=True
        ):
            place = {"id": len(annotations) + 1, "image_id": index, "category_id": label, "bbox": box, "area": area}
            annotations.append(place | dict(zip(extra, rest, strict=True)))
    return COCO(
        {
            "images": [
                {"id": index, "width": each.size[0], "height": each.size[1]} for index, each in enumerate(truth)
            ],
            "categories": [{"id": label, "name": str(label)} for label in range(label_count)],
            "annotations": annotations,
        }
    )


def _in_pixels(boxes: NDArray[np.floating], size: tuple[int, int]) -> Floats:
    """Return left, top, width and height in pixels, float64 [N, 4]."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4) * (*size, *size)
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def _say_nothing(*_: object) -> None:
    return None
