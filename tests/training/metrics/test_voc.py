"""The hosted service's numbers of detectors, beside an example that was worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.training.metrics.drawn_detections import masked
from training.errors import TrainingError
from training.metrics.detection import evaluate_detections
from training.metrics.detections import DetectedImage, TrueImage
from training.recipe import Evaluation

LABELS = ("can", "carton", "juice", "milk")
CAN, CARTON, JUICE, MILK = range(4)
SIDE = 50  # pixels, so that 0.02 is one of them

Boxed = tuple[float, float, float, float]

# The first image has two cans and a milk, the second a can, a crowd of cans and two cartons side by side.
TRUTH: list[list[tuple[int, Boxed, bool]]] = [
    [
        (CAN, (0.0, 0.0, 0.4, 0.4), False),
        (CAN, (0.5, 0.5, 0.9, 0.9), False),
        (MILK, (0.0, 0.6, 0.3, 1.0), False),
    ],
    [
        (CAN, (0.1, 0.1, 0.5, 0.5), False),
        (CAN, (0.6, 0.6, 1.0, 1.0), True),
        (CARTON, (0.0, 0.0, 0.4, 0.4), False),
        (CARTON, (0.1, 0.0, 0.5, 0.4), False),
    ],
]
# Cans by falling score, with precision and recall so far (there are 3):
#   0.95 the first can itself                            right    1/1  1/3
#   0.90 nine tenths of it, but it is taken              wrong    1/2  1/3
#   0.85 within the crowd                                neither
#   0.80 three quarters of the second image's can        right    2/3  2/3
#   0.75 0.45 of the second can                          wrong    2/4  2/3
#   0.70 the second can itself                           right    3/5  3/3
#   0.30 not above the threshold                         left out
# Made falling from the right, precision is 1 up to recall 1/3, 2/3 up to 2/3, and 3/5 up to 1.
OF_CANS = (1 + 2 / 3 + 3 / 5) / 3
# Cartons (there are 2):
#   0.95 the first carton itself                         right    1/1  1/2
#   0.85 0.90 of the first, which is taken, and 0.67 of
#        the second, at which it does not look           wrong    1/2  1/2
OF_CARTONS = 1 / 2
# Milk is not detected at all, and juice is detected where there is none.
DETECTED: list[list[tuple[int, Boxed, float]]] = [
    [
        (CAN, (0.5, 0.5, 0.9, 0.9), 0.7),
        (CAN, (0.0, 0.0, 0.4, 0.36), 0.9),
        (CAN, (0.0, 0.0, 0.4, 0.4), 0.95),
        (CAN, (0.5, 0.5, 0.9, 0.68), 0.75),
        (JUICE, (0.5, 0.0, 0.9, 0.4), 0.6),
    ],
    [
        (CAN, (0.1, 0.1, 0.5, 0.4), 0.8),
        (CAN, (0.0, 0.8, 0.2, 1.0), 0.3),
        (CAN, (0.7, 0.7, 0.9, 0.9), 0.85),
        (CARTON, (0.0, 0.0, 0.4, 0.4), 0.95),
        (CARTON, (0.02, 0.0, 0.42, 0.4), 0.85),
    ],
]


def filled(boxes: Any) -> list[Any]:
    masks = []
    for left, top, right, bottom in np.rint(np.array(boxes) * SIDE).astype(int):
        pixels = np.zeros((SIDE, SIDE), np.bool_)
        pixels[top:bottom, left:right] = True
        masks.append(masked(pixels))
    return masks


def truth() -> list[TrueImage]:
    images = []
    for objects in TRUTH:
        labels, boxes, crowd = zip(*objects, strict=True)
        images.append(TrueImage(np.array(boxes), np.array(labels), np.array(crowd), (SIDE, SIDE), filled(boxes)))
    return images


def detected() -> list[DetectedImage]:
    images = []
    for objects in DETECTED:
        labels, boxes, scores = zip(*objects, strict=True)
        images.append(DetectedImage(np.array(boxes), np.array(scores), np.array(labels), filled(boxes)))
    return images


def evaluate(found: list[DetectedImage], there: list[TrueImage], **options: Any) -> Evaluation:
    given: dict[str, Any] = {"masks": False, "score_threshold": 0.3, "iou_threshold": 0.5, "metric_type": "voc"}
    return evaluate_detections(found, there, LABELS, **given | options)


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
def test_the_worked_example(masks: bool) -> None:
    evaluation = evaluate(detected(), truth(), masks=masks)
    hosted = {name: value for name, value in evaluation.metrics.items() if not name.startswith("coco_")}
    assert hosted == pytest.approx(
        {
            "mean_average_precision": (OF_CANS + OF_CARTONS + 0) / 3,
            "precision": (3 / 5 + 1 / 2) / 2,
            "recall": (3 / 3 + 1 / 2 + 0) / 3,
        }
    )
    per_label = {
        label: {name: value for name, value in numbers.items() if not name.startswith("coco_")}
        for label, numbers in evaluation.per_label.items()
    }
    assert per_label == {
        "can": pytest.approx({"average_precision": OF_CANS, "precision": 3 / 5, "recall": 1.0}),
        "carton": pytest.approx({"average_precision": OF_CARTONS, "precision": 1 / 2, "recall": 1 / 2}),
        "juice": {},
        "milk": {"average_precision": 0.0, "recall": 0.0},
    }


@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
def test_the_confusion_matrix_of_the_example(masks: bool) -> None:
    confusion = evaluate(detected(), truth(), masks=masks).confusion
    assert confusion is not None
    assert confusion.tolist() == [
        [3, 0, 0, 0, 0],
        [0, 2, 0, 0, 0],  # here a detection takes the second best object when the best is taken
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [2, 0, 1, 0, 0],
    ]


def test_a_detection_of_another_label_is_confused_with_it() -> None:
    found, there = detected(), truth()
    found[0].labels[2] = CARTON
    confusion = evaluate(found, there).confusion
    assert confusion is not None
    assert (confusion[CAN, CARTON], confusion[CAN, CAN]) == (1, 2)


def test_masks_are_judged_by_their_pixels() -> None:
    found = detected()
    upper_third = filled([(0.5, 0.5, 0.9, 0.64)])[0]
    assert found[0].masks is not None
    found[0] = replace(found[0], masks=[upper_third, *found[0].masks[1:]])
    evaluation = evaluate(found, truth(), masks=True)
    assert evaluation.per_label["can"]["average_precision"] == pytest.approx((1 + 2 / 3) / 3)
    boxes = evaluate(detected(), truth()).metrics
    assert evaluation.metrics["coco_box_ap50"] == pytest.approx(boxes["coco_ap50"])
    assert evaluation.metrics["coco_ap50"] < boxes["coco_ap50"]


def test_coco_counts_detections_of_low_scores_too() -> None:
    low = [replace(image, scores=image.scores / 10) for image in detected()]
    usual, lowered = evaluate(detected(), truth()), evaluate(low, truth())
    assert lowered.metrics["mean_average_precision"] == 0.0
    assert "precision" not in lowered.metrics, "of nothing"
    assert {name: value for name, value in lowered.metrics.items() if name.startswith("coco_")} == pytest.approx(
        {name: value for name, value in usual.metrics.items() if name.startswith("coco_")}
    )


def test_the_type_of_metric_chooses_the_first_number() -> None:
    both, coco = (
        evaluate(detected(), truth(), metric_type="coco_voc"),
        evaluate(detected(), truth(), metric_type="coco"),
    )
    assert both.metrics == evaluate(detected(), truth()).metrics
    assert coco.metrics["mean_average_precision"] == coco.metrics["coco_ap50"] != both.metrics["mean_average_precision"]
    assert set(coco.per_label["can"]) == {"coco_ap", "coco_ap50"}
    assert evaluate(detected(), truth(), metric_type="none") == Evaluation({})


def test_images_without_objects_or_detections_are_judged() -> None:
    none = np.empty((0, 4))
    nothing = DetectedImage(none, np.empty(0), np.empty(0, int), [])
    background = TrueImage(none, np.empty(0, int), np.empty(0, bool), (SIDE, SIDE), [])
    for masks in (False, True):
        evaluation = evaluate([*detected(), nothing, nothing], [*truth(), background, truth()[0]], masks=masks)
        assert evaluation.per_label["can"]["recall"] == pytest.approx(3 / 5)
        assert evaluate([nothing], truth()[:1], masks=masks).metrics["mean_average_precision"] == 0.0


def test_no_objects_at_all_are_refused() -> None:
    crowd = replace(truth()[1], crowd=np.ones(4, bool))
    with pytest.raises(TrainingError, match="No validation image has an object"):
        evaluate(detected()[1:], [crowd])


def test_a_mask_of_another_size_is_an_error() -> None:
    other = replace(truth()[0], size=(SIDE, SIDE + 1))
    with pytest.raises(ValueError, match=r"expected 5 of \(height, width\) \(51, 50\)"):
        evaluate(detected()[:1], [other], masks=True)
