"""The loss of yolov5 beside a slow one, written box by box and cell by cell."""

import math

import pytest
import torch
from torch import Tensor

from models.networks.yolov5 import ANCHORS, STRIDES, Detect
from training.detection.yolo_loss import yolo_losses
from training.detection.yolo_targets import YoloTargets

LABELS, SIDE = 3, 64
Box = tuple[float, float, float, float]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def cross_entropy(raw: float, wanted: float) -> float:
    return -wanted * math.log(sigmoid(raw)) - (1 - wanted) * math.log(1 - sigmoid(raw))


def complete_iou(one: Box, other: Box) -> float:
    (x, y, w, h), (a, b, c, d) = one, other
    across = max(0.0, min(x + w / 2, a + c / 2) - max(x - w / 2, a - c / 2))
    down = max(0.0, min(y + h / 2, b + d / 2) - max(y - h / 2, b - d / 2))
    iou = across * down / (w * h + c * d - across * down)
    hull = [
        max(x + w / 2, a + c / 2) - min(x - w / 2, a - c / 2),
        max(y + h / 2, b + d / 2) - min(y - h / 2, b - d / 2),
    ]
    apart = ((x - a) ** 2 + (y - b) ** 2) / (hull[0] ** 2 + hull[1] ** 2)
    shape = 4 / math.pi**2 * (math.atan(c / d) - math.atan(w / h)) ** 2
    return iou - apart - shape * shape / (1 - iou + shape)


def slow_losses(grids: list[Tensor], targets: YoloTargets) -> dict[str, float]:
    parts = {"box": 0.0, "objectness": 0.0, "class": 0.0}
    for level, (grid, stride) in enumerate(zip(grids, STRIDES, strict=True)):
        cells = SIDE // stride
        fits: dict[tuple[int, int, int, int], float] = {}
        wrong, kinds = [], []
        for image, label, box in zip(targets.images.tolist(), targets.labels.tolist(), targets.boxes, strict=True):
            x, y, w, h = (box / stride).tolist()
            for number, (wide, high) in enumerate(ANCHORS[level]):
                ratios = w * stride / wide, h * stride / high
                if max(max(ratio, 1 / ratio) for ratio in ratios) >= 4:
                    continue
                column, row = math.floor(x), math.floor(y)
                beside = column - 1 if x - column < 0.5 else column + 1
                below = row - 1 if y - row < 0.5 else row + 1
                for place in ((column, row), (beside, row), (column, below)):
                    if not all(0 <= each < cells for each in place):
                        continue
                    raw = grid[image, number, place[1], place[0]].tolist()
                    found = (
                        place[0] + sigmoid(raw[0]) * 2 - 0.5,
                        place[1] + sigmoid(raw[1]) * 2 - 0.5,
                        (sigmoid(raw[2]) * 2) ** 2 * wide / stride,
                        (sigmoid(raw[3]) * 2) ** 2 * high / stride,
                    )
                    ciou = complete_iou(found, (x, y, w, h))
                    wrong.append(1 - ciou)
                    key = (image, number, place[1], place[0])
                    fits[key] = max(fits.get(key, 0.0), ciou, 0.0)
                    kinds += [cross_entropy(value, float(each == label)) for each, value in enumerate(raw[5:])]
        objectness = []
        for image in range(len(grid)):
            crowds = targets.crowd_boxes[targets.crowd_images == image].tolist()
            for number, row, column in ((n, r, c) for n in range(3) for r in range(cells) for c in range(cells)):
                middle = (column + 0.5) * stride, (row + 0.5) * stride
                crowded = any(abs(middle[0] - x) < w / 2 and abs(middle[1] - y) < h / 2 for x, y, w, h in crowds)
                key = (image, number, row, column)
                counts = key in fits or not crowded
                objectness.append(counts * cross_entropy(grid[key][4].item(), fits.get(key, 0.0)))
        parts["box"] += 16 * 0.05 * sum(wrong) / max(len(wrong), 1)
        parts["class"] += 16 * 0.58 * LABELS / 80 * sum(kinds) / max(len(kinds), 1)
        parts["objectness"] += 16 * (SIDE / 640) ** 2 * (4.0, 1.0, 0.4)[level] * sum(objectness) / len(objectness)
    return parts


def targets(*objects: tuple[int, int, Box], crowds: tuple[tuple[int, Box], ...] = ()) -> YoloTargets:
    return YoloTargets(
        torch.tensor([image for image, _, _ in objects], dtype=torch.int64),
        torch.tensor([label for _, label, _ in objects], dtype=torch.int64),
        torch.tensor([box for _, _, box in objects], dtype=torch.float32).reshape(-1, 4),
        torch.tensor([image for image, _ in crowds], dtype=torch.int64),
        torch.tensor([box for _, box in crowds], dtype=torch.float32).reshape(-1, 4),
    )


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(
            targets(
                (0, 0, (20, 33, 11, 17)), (0, 2, (50.5, 12.2, 25, 20)), (1, 1, (3, 60, 6, 8)), (1, 1, (32, 32, 60, 64))
            ),
            id="several",
        ),
        pytest.param(targets((1, 2, (20, 20, 14, 12)), (1, 0, (21, 21, 16, 30))), id="two-in-a-cell"),
        pytest.param(targets(), id="backgrounds"),
        pytest.param(
            targets((0, 1, (30, 30, 20, 20)), crowds=((0, (32, 32, 60, 24)), (1, (8, 8, 16, 16)))), id="crowds"
        ),
    ],
)
def test_the_loss_equals_a_slow_one(wanted: YoloTargets) -> None:
    torch.manual_seed(1)
    head = Detect(LABELS, (8, 8, 8))
    grids = [torch.randn(2, 3, SIDE // stride, SIDE // stride, LABELS + 5) for stride in STRIDES]
    losses = {name: value.item() for name, value in yolo_losses(head, grids, wanted, SIDE).items()}
    assert losses == pytest.approx(slow_losses(grids, wanted), rel=1e-4, abs=1e-6)
    assert losses["objectness"] > 0
