"""The numbers of detectors: those of the hosted service, which follow Pascal VOC, and COCO's."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from models.labels import Label, named
from training.errors import TrainingError
from training.metrics.coco import CocoNumbers, coco_numbers
from training.metrics.confusion import detection_confusion
from training.metrics.detections import (
    DetectedImage,
    TrueImage,
    encoded_masks,
    overlaps_of_boxes,
    overlaps_of_masks,
)
from training.metrics.voc import LabelPrecision, voc_precisions
from training.recipe import Evaluation

MetricType = Literal["voc", "coco", "coco_voc", "none"]


def evaluate_detections(
    detected: Sequence[DetectedImage],
    truth: Sequence[TrueImage],
    labels: Sequence[Label],
    *,
    masks: bool,
    score_threshold: float,
    iou_threshold: float,
    metric_type: MetricType,
) -> Evaluation:
    """Judge what was detected in images, in their order, by their boxes or by their masks.

    `mean_average_precision`, `precision` and `recall` are the hosted service's, of detections above `score_threshold`
    alone; for "coco", the first is COCO's at an overlap of 0.5. The `coco_*` are COCO's numbers of all detections,
    whatever their scores; of boxes, they are `coco_box_*` where masks are judged. For "none", nothing is computed.
    TrainingError where no image has an object that a detector ought to find.
    """
    if metric_type == "none":
        return Evaluation({})
    if not any((~image.crowd).any() for image in truth):
        raise TrainingError(
            "No validation image has an object besides crowds, so nothing can be measured. "
            "Give other validation data, or set validation_metric_type to none."
        )
    if masks:
        found = [encoded_masks(one, other.size) for one, other in zip(detected, truth, strict=True)]
        present = [encoded_masks(image, image.size) for image in truth]
        overlaps = [overlaps_of_masks(*each) for each in zip(detected, truth, found, present, strict=True)]
        outlines = found, present
    else:
        overlaps = [overlaps_of_boxes(one, other) for one, other in zip(detected, truth, strict=True)]
        outlines = None
    coco = coco_numbers(detected, truth, len(labels), outlines, by_masks=masks)
    metrics = {f"coco_{name}": value for name, value in coco.overall.items()}
    if masks:
        boxes = coco_numbers(detected, truth, len(labels), outlines, by_masks=False)
        metrics |= {f"coco_box_{name}": value for name, value in boxes.overall.items()}
    voc = {} if metric_type == "coco" else voc_precisions(overlaps, score_threshold, iou_threshold)
    hosted = _means(voc) if voc else {"mean_average_precision": coco.overall["ap50"]}
    return Evaluation(
        hosted | metrics,
        {named(label): _of_label(index, voc, coco) for index, label in enumerate(labels)},
        detection_confusion(overlaps, len(labels), score_threshold, iou_threshold),
    )


def _means(voc: Mapping[int, LabelPrecision]) -> dict[str, float]:
    """Average over the labels that have objects; the precision over those of them that were detected at all."""
    precisions = [each.precision for each in voc.values() if each.precision is not None]
    means = {
        "mean_average_precision": float(np.mean([each.average_precision for each in voc.values()])),
        "recall": float(np.mean([each.recall for each in voc.values()])),
    }
    return means | ({"precision": float(np.mean(precisions))} if precisions else {})


def _of_label(index: int, voc: Mapping[int, LabelPrecision], coco: CocoNumbers) -> dict[str, float]:
    numbers = {f"coco_{name}": value for name, value in coco.per_label.get(index, {}).items()}
    if index in voc:
        one = voc[index]
        numbers |= {"average_precision": one.average_precision, "recall": one.recall}
        numbers |= {} if one.precision is None else {"precision": one.precision}
    return numbers
