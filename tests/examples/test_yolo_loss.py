import math

import pytest
import torch
from torch import Tensor

from examples.fridge.yolo.loss import SceneTargets, match, yolo_loss
from models.networks.yolov5 import STRIDES, Detect

ANCHORS = torch.tensor([[2.0, 2.0], [4.0, 8.0], [20.0, 20.0]])
CELLS = (6, 10)  # down, across


def matched(*boxes: tuple[float, float, float, float]) -> set[tuple[int, int, int, int]]:
    found = match(torch.tensor(boxes).view(-1, 4), ANCHORS, CELLS)
    rows = torch.stack([found.objects, found.anchors, found.rows, found.columns], 1).tolist()
    assert len({tuple(row) for row in rows}) == len(rows)
    return {(row[0], row[1], row[2], row[3]) for row in rows}


def test_an_object_is_asked_of_its_cell_and_the_two_nearest() -> None:
    # only the first anchor is less than four times as large and as small; the centre is up and to the right
    assert matched((4.7, 2.2, 2, 2)) == {(0, 0, 2, 4), (0, 0, 2, 5), (0, 0, 1, 4)}
    assert matched((4.2, 2.7, 2, 2)) == {(0, 0, 2, 4), (0, 0, 2, 3), (0, 0, 3, 4)}


def test_cells_outside_the_grid_are_not_asked() -> None:
    assert matched((0.3, 0.3, 2, 2)) == {(0, 0, 0, 0)}
    assert matched((9.8, 5.4, 2, 2)) == {(0, 0, 5, 9), (0, 0, 4, 9)}


def test_anchors_match_up_to_four_times_larger_or_smaller() -> None:
    def anchors(width: float, height: float) -> set[int]:
        return {anchor for _, anchor, _, _ in matched((4.7, 2.2, width, height))}

    assert anchors(7.9, 7.9) == {0, 1, 2}
    assert anchors(8, 7.9) == {1, 2}  # four times as wide as the first
    assert anchors(0.5, 1) == set()  # a quarter of it
    assert anchors(0.51, 1) == {0}
    assert anchors(4, 30) == {1}
    assert anchors(16, 2.1) == set()


def test_objects_keep_their_number_and_their_place_from_the_cell() -> None:
    found = match(torch.tensor([[0.0, 0, 100, 100], [4.7, 2.2, 2, 3]]), ANCHORS, CELLS)
    assert set(found.objects.tolist()) == {1}
    for row, column, box in zip(found.rows.tolist(), found.columns.tolist(), found.boxes.tolist(), strict=True):
        assert box == pytest.approx([4.7 - column, 2.2 - row, 2, 3])
        assert all(-0.5 <= value <= 1.5 for value in box[:2])  # all that a decoded centre can reach


def test_the_loss_is_small_where_everything_is_right_and_larger_for_each_mistake() -> None:
    targets = SceneTargets(
        torch.tensor([0, 1]), torch.tensor([2, 0]), torch.tensor([[30.0, 40, 20, 40], [50, 20, 30, 25]])
    )
    head = Detect(4, (8, 8, 8))
    right = answers(head, targets)
    least = yolo_loss(head, right, targets)
    assert 0 <= least < 1e-3
    decoded = head.decode(right)
    assert decoded[0, decoded[0, :, 4].argmax(), :4].tolist() == pytest.approx([30, 40, 20, 40], abs=1e-3)
    for part, mistake in ((slice(0, 2), 2.0), (slice(2, 4), -1.0), (slice(4, 5), -30.0), (slice(5, 9), 20.0)):
        wrong = [grid.clone() for grid in right]
        for grid in wrong:
            grid[..., part] += mistake * (grid[..., 4:5] > 0)
        assert yolo_loss(head, wrong, targets) > least + 0.01


def test_objectness_should_be_how_well_the_box_fits() -> None:
    targets = SceneTargets(torch.tensor([0]), torch.tensor([2]), torch.tensor([[30.0, 40, 20, 40]]))
    head = Detect(4, (8, 8, 8))
    grids = answers(head, targets)
    for grid in grids:
        objects = grid[..., 4] > 0
        # half as wide and as high, in the same place: a quarter of the object
        grid[..., 2:4] = torch.where(objects[..., None], torch.logit(grid[..., 2:4].sigmoid() * 0.5**0.5), 0)
        grid[..., 4] = torch.where(objects, math.log(0.25 / 0.75), -15)
        grid.requires_grad_()
    yolo_loss(head, grids, targets).backward()  # type: ignore[no-untyped-call]
    for grid in grids:
        assert grid.grad is not None
        assert grid.grad[..., 4].abs().max() < 1e-6


def test_without_objects_only_objectness_is_wrong() -> None:
    head = Detect(4, (8, 8, 8))
    nothing = SceneTargets(torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))
    grids = [torch.zeros(1, 3, 64 // stride, 64 // stride, 9, requires_grad=True) for stride in STRIDES]
    yolo_loss(head, grids, nothing).backward()  # type: ignore[no-untyped-call]
    for grid in grids:
        assert grid.grad is not None
        assert (grid.grad[..., 4] > 0).all()
        assert grid.grad[..., :4].abs().max() == grid.grad[..., 5:].abs().max() == 0


def answers(head: Detect, targets: SceneTargets) -> list[Tensor]:
    """Return the raw grids, for two images of 64 x 64, that say just the targets."""
    grids = []
    for level, stride in enumerate(STRIDES):
        grid = torch.zeros(2, 3, 64 // stride, 64 // stride, 9)
        grid[..., 4:] = -15
        found = match(targets.boxes / stride, head.anchors[level], (64 // stride, 64 // stride))
        place = targets.images[found.objects], found.anchors, found.rows, found.columns
        sizes = (found.boxes[:, 2:] / head.anchors[level][found.anchors]).sqrt() / 2
        grid[(*place, slice(0, 4))] = torch.logit(torch.cat([(found.boxes[:, :2] + 0.5) / 2, sizes], 1))
        grid[(*place, 4)] = 15.0
        grid[(*place, 5 + targets.labels[found.objects])] = 15.0
        grids.append(grid)
    return grids
