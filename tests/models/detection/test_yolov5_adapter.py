import math

import numpy as np
import pytest
import torch
from torch import Tensor

from models.detection.adapter import Detections, DetectorAdapter, DetectorInput
from models.detection.yolov5_adapter import YoloAdapter, select, within
from models.errors import ModelError
from models.images.letterbox import letterbox
from models.networks.yolov5 import YoloV5
from models.runtime.precision import FP32, PRECISIONS
from models.runtime.runtime import ComputeOptions
from models.runtimes.eager import RUNTIME as EAGER
from settings.model import YoloSettings
from tests.support.contract import contract
from tests.support.images import noise
from tests.support.seeded_yolov5 import seeded_yolov5

ADAPTER: DetectorAdapter = YoloAdapter()
BF16 = PRECISIONS["bf16"]


def settings(**values: float | str) -> YoloSettings:
    return YoloSettings.model_validate({"img_size": 96} | values)


def rows(*boxes: tuple[float, ...]) -> Tensor:
    """Each box: centre x, centre y, width, height, objectness, and a score a class."""
    return torch.tensor(boxes, dtype=torch.float32)


def square(height: int, width: int, side: int = 100) -> DetectorInput:
    return DetectorInput(torch.zeros(side, side, 3, dtype=torch.uint8), (height, width), (side, side), settings())


def found(*boxes: tuple[float, float, float, float]) -> Detections:
    count = len(boxes)
    return Detections(torch.tensor(boxes).view(-1, 4), torch.linspace(1, 0.5, count), torch.arange(count))


def test_a_score_is_objectness_times_the_best_class() -> None:
    chosen = select(rows((50, 40, 20, 10, 0.8, 0.25, 0.75)), settings())
    assert chosen.boxes.tolist() == [[40, 35, 60, 45]]
    assert chosen.scores.tolist() == pytest.approx([0.6])
    assert chosen.labels.tolist() == [1]
    assert (chosen.boxes.dtype, chosen.scores.dtype, chosen.labels.dtype) == (torch.float32, torch.float32, torch.int64)


@contract("Images and boxes", "yolov5: objectness and score must exceed the threshold")
def test_objectness_and_score_must_both_exceed_the_threshold() -> None:
    boxes = rows(
        (10, 10, 5, 5, 0.5, 1.0),  # its objectness is the threshold, not above it
        (30, 10, 5, 5, 0.75, 0.75),  # 0.5625
        (50, 10, 5, 5, 1.0, 0.5),  # its score is the threshold
        (70, 10, 5, 5, 0.75, 0.6),  # 0.45
        (90, 10, 5, 5, 0.25, 1.0),
    )
    chosen = select(boxes, settings(box_score_thresh=0.5))
    assert chosen.boxes[:, 0].tolist() == [27.5]
    assert chosen.scores.tolist() == [0.5625]


def test_of_boxes_that_overlap_the_best_of_each_class_stays() -> None:
    boxes = rows(
        (50, 50, 20, 20, 0.9, 0.7, 0.1),
        (52, 50, 20, 20, 0.9, 0.9, 0.1),  # IoU with the first: 18 * 20 / 440 = 0.82
        (52, 50, 20, 20, 0.9, 0.1, 0.8),  # another class
        (64, 50, 20, 20, 0.9, 0.6, 0.1),  # IoU with the second: 8 * 20 / 640 = 0.25
    )
    chosen = select(boxes, settings(nms_iou_thresh=0.5))
    assert chosen.scores.tolist() == pytest.approx([0.81, 0.72, 0.54])
    assert chosen.labels.tolist() == [0, 1, 0]
    assert chosen.boxes[:, 0].tolist() == [42, 42, 54]
    assert select(boxes, settings(nms_iou_thresh=0.24)).scores.tolist() == pytest.approx([0.81, 0.72])


def test_a_box_that_overlaps_by_just_the_threshold_stays() -> None:
    boxes = rows((50, 50, 20, 20, 1, 0.9), (50, 50, 20, 10, 1, 0.8))  # IoU 0.5 exactly
    assert len(select(boxes, settings(nms_iou_thresh=0.5)).scores) == 2
    assert len(select(boxes, settings(nms_iou_thresh=0.49)).scores) == 1


def test_only_the_best_class_of_a_box_counts() -> None:
    assert select(rows((50, 50, 20, 20, 1, 0.6, 0.59)), settings()).labels.tolist() == [0]


@contract("Images and boxes", "yolov5: at most 300 boxes")
def test_the_best_come_first_and_at_most_300() -> None:
    places = torch.arange(400).float()
    boxes = torch.stack(
        [places * 10, places * 0, places * 0 + 5, places * 0 + 5, 0.2 + places / 1000, places * 0 + 1], 1
    )
    chosen = select(boxes, settings())
    assert len(chosen.scores) == 300
    assert chosen.boxes[:, 0].tolist() == [place * 10 - 2.5 for place in range(399, 99, -1)]
    assert (chosen.scores.diff() < 0).all()


def test_nothing_is_found_in_nothing_and_thousands_are_sorted_out() -> None:
    assert [len(part) for part in _parts(select(torch.zeros(0, 9), settings()))] == [0, 0, 0]
    assert [len(part) for part in _parts(select(torch.zeros(50, 9), settings()))] == [0, 0, 0]
    many = torch.rand(25200, 85, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [640, 640, *[99] * 2, *[1] * 81]
    )
    assert len(select(many, settings(box_score_thresh=0.0)).scores) == 300


def test_suppression_equals_the_rule_one_box_at_a_time() -> None:
    random = torch.Generator().manual_seed(3)
    boxes = torch.rand(200, 8, generator=random) * torch.tensor([96, 96, 40, 40, 1, 1, 1, 1])
    chosen = select(boxes, settings(box_score_thresh=0.2, nms_iou_thresh=0.3))
    expected = slowly(boxes.tolist(), 0.2, 0.3)
    assert len(expected) > 20
    torch.testing.assert_close(
        torch.cat([chosen.boxes, chosen.scores[:, None], chosen.labels[:, None]], 1), torch.tensor(expected)
    )


def test_padding_is_taken_off_and_the_rest_is_divided_by_the_content() -> None:
    # a content of 100 x 50 in the middle of the square: 25 grey rows above it
    shares = within(found((10, 35, 60, 50)), square(50, 100)).boxes
    assert shares.tolist() == [pytest.approx([0.1, 0.2, 0.6, 0.5])]
    # 41 wide: 29 grey columns before it, 30 after it
    shares = within(found((29, 0, 70, 100), (49.5, 50, 59.75, 75)), square(100, 41)).boxes
    assert shares[0].tolist() == [0, 0, 1, 1]
    assert shares[1].tolist() == pytest.approx([0.5, 0.5, 0.75, 0.75])


def test_boxes_end_where_the_content_ends() -> None:
    shares = within(found((-5, 20, 130, 80), (0, 0, 50, 30), (10, 80, 20, 99)), square(50, 100)).boxes
    assert shares[0].tolist() == [0, 0, 1, 1]
    assert shares[1].tolist() == pytest.approx([0, 0, 0.5, 0.1])
    assert shares[2].tolist() == pytest.approx([0.1, 1, 0.2, 1])
    assert within(found(), square(50, 100)).boxes.shape == (0, 4)


def test_a_input_is_the_letterboxed_square() -> None:
    image = noise(120, 200)
    tile = torch.from_numpy(image)[10:70, 20:100]
    one = ADAPTER.prepare(tile, settings())
    assert not tile.is_contiguous()
    assert (one.size, one.padded) == ((72, 96), (96, 96))
    assert one.pixels == ADAPTER.pixels(settings()) == 96 * 96
    assert np.array_equal(one.image.numpy(), letterbox(image[10:70, 20:100], 96)[0])
    assert one.image.dtype == torch.uint8


def test_a_batch_finds_what_each_input_holds_alone_a_thin_one_first() -> None:
    network, chosen = seeded_yolov5(), settings(box_score_thresh=0.3)
    inputs = [
        ADAPTER.prepare(torch.from_numpy(noise(*size)), chosen) for size in ((1000, 5), (60, 90), (96, 96), (1, 1))
    ]
    together = find(network, inputs)
    for single, result in zip(inputs, together, strict=True):
        (alone,) = find(network, [single])
        for one, other in zip(_parts(result), _parts(alone), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        assert len(result.scores) > 0
        assert (result.scores.diff() <= 0).all()
        assert 0 <= result.boxes.min() <= result.boxes.max() <= 1
        assert (result.boxes[:, :2] <= result.boxes[:, 2:]).all()
        assert set(result.labels.tolist()) <= {0, 1, 2, 3}
        assert result.masks is None


def test_the_network_sees_colours_in_their_order_between_0_and_1() -> None:
    network, received = seeded_yolov5(), []
    network[0].register_forward_pre_hook(lambda module, given: received.append(given[0]))
    image = torch.tensor([255, 51, 0], dtype=torch.uint8).expand(32, 96, 3)
    find(network, [ADAPTER.prepare(image, settings())])
    assert (received[0].shape, received[0].dtype) == ((1, 3, 96, 96), torch.float32)
    assert received[0][0, :, 48, 10].tolist() == pytest.approx([1, 0.2, 0])
    assert received[0][0, :, 10, 48].tolist() == pytest.approx([114 / 255] * 3)


def test_a_planted_object_is_found_where_it_was_planted() -> None:
    network, chosen = seeded_yolov5(classes=2), settings(img_size=64)
    _plant(network)
    # the image is 64 x 32 in the square, from row 16 on; the box is 30 x 61 around the centre of the cell at (1, 2)
    (result,) = find(network, [ADAPTER.prepare(torch.from_numpy(noise(50, 100)), chosen)])
    assert result.labels.tolist() == [1]
    assert result.scores.tolist() == pytest.approx([0.5 * 0.75], abs=1e-3)
    left, top, right, bottom = result.boxes[0].tolist()
    assert (left, right) == pytest.approx(((40 - 15) / 64, (40 + 15) / 64))
    assert (top, bottom) == (0, 1)  # 24 - 30.5 - 16 and 24 + 30.5 - 16 are both outside


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_network_that_computes_no_numbers_is_an_error(value: float) -> None:
    network = seeded_yolov5()
    bias = network.head.m[1].bias
    assert isinstance(bias, Tensor)
    bias[0] = value
    with pytest.raises(ModelError, match="not finite"):
        find(network, [ADAPTER.prepare(torch.from_numpy(noise(9, 9)), settings())])


def test_arithmetic_is_reduced_before_the_head_only() -> None:
    network, dtypes = seeded_yolov5(), []
    network[23].register_forward_hook(lambda module, given, made: dtypes.append(made.dtype))
    network.head.register_forward_pre_hook(lambda module, given: dtypes.extend(each.dtype for each in given[0]))
    graph = EAGER.load(ADAPTER.graph_source(network, BF16), None, ComputeOptions(torch.device("cpu"), BF16))
    dtypes.clear()
    one = ADAPTER.prepare(torch.from_numpy(noise(60, 90)), settings(box_score_thresh=0.3))
    (result,) = ADAPTER.detect(network, graph, [one])
    assert dtypes == [torch.bfloat16, torch.float32, torch.float32, torch.float32]
    assert result.boxes.dtype == result.scores.dtype == torch.float32


def find(network: YoloV5, inputs: list[DetectorInput]) -> list[Detections]:
    return ADAPTER.detect(network, ADAPTER.graph_source(network, FP32).module, inputs)


def _parts(result: Detections) -> tuple[Tensor, Tensor, Tensor]:
    return result.boxes, result.scores, result.labels


def _plant(network: YoloV5) -> None:
    """Have the middle grid say: one object, of the second class, at its column 2 and row 1; and nothing elsewhere."""

    def plant(module: object, given: object, grids: list[Tensor]) -> list[Tensor]:
        planted = [torch.zeros_like(grid) for grid in grids]
        for grid in planted:
            grid[..., 4] = -20
        planted[1][0, 0, 1, 2, 4:] = torch.tensor([0, -1, math.log(3)])
        return planted

    network.head.register_forward_hook(plant)


def slowly(boxes: list[list[float]], threshold: float, most: float) -> list[list[float]]:
    """The rules in plain Python."""
    candidates = []
    for x, y, width, height, objectness, *classes in boxes:
        score = objectness * max(classes)
        if objectness > threshold and score > threshold:
            corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            candidates.append([*corners, score, float(classes.index(max(classes)))])
    kept: list[list[float]] = []
    for candidate in sorted(candidates, key=lambda one: -one[4]):
        if all(other[5] != candidate[5] or overlap(other, candidate) <= most for other in kept):
            kept.append(candidate)
    return kept


def overlap(one: list[float], other: list[float]) -> float:
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return across * down / (sum(areas) - across * down)
