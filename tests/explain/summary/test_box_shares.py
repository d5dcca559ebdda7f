"""Attribution inside boxes: in the crop that the network sees, of the label's boxes, turned as the network turns."""

from pathlib import Path

import numpy as np
import pytest

from data.record import LabelledObject
from explain.summary.box_shares import BoxGrid, BoxShare, mean_share
from explain.summary.images import SummaryImage
from models.images.preprocess import Preprocess, Statistics

EVEN = np.ones((48, 48), np.float32)
SQUASHED = Preprocess(96, 96, Statistics(squash=True))


def image(
    *boxes: tuple[float, float, float, float],
    label: str = "can",
    size: tuple[int, int] = (96, 96),
    orientation: int = 1,
) -> SummaryImage:
    objects = tuple(LabelledObject(label, box) for box in boxes)
    return SummaryImage("a.png", 1, Path("a.png"), "", size, orientation, (label,), objects)


def corner(values: float = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A map of the upper left quarter alone."""
    found = np.zeros((48, 48), np.float32)
    found[:24, :24] = values
    return found


def assert_is(share: BoxShare | None, inside: float, area: float) -> None:
    assert share is not None
    assert (share.inside, share.area) == pytest.approx((inside, area))


def test_an_even_map_has_as_much_inside_as_the_boxes_take() -> None:
    share = BoxGrid(SQUASHED, {"can"}).share(image((0, 0, 0.5, 0.5), (0.25, 0.25, 0.75, 0.5)), "can", EVEN)
    assert_is(share, 0.3125, 0.3125)


def test_a_map_inside_or_outside_of_a_box() -> None:
    grid = BoxGrid(SQUASHED, {"can"})
    assert grid.share(image((0, 0, 0.5, 0.5)), "can", corner(3)) == BoxShare(1, 0.25)
    assert grid.share(image((0.5, 0.5, 1, 1)), "can", corner()) == BoxShare(0, 0.25)


def test_boxes_of_the_label_count_or_all_where_none_has_a_label_of_the_model() -> None:
    grid = BoxGrid(SQUASHED, {"can", "carton"})
    assert grid.share(image((0, 0, 0.5, 0.5), label="carton"), "can", EVEN) is None
    assert grid.share(image((0, 0, 0.5, 0.5), label="object"), "can", EVEN) == BoxShare(0.25, 0.25)
    assert grid.share(image(), "can", EVEN) is None


def test_boxes_are_those_of_the_crop() -> None:
    # resized to 96 x 192, of which rows 48 to 144 are seen
    grid = BoxGrid(Preprocess(96, 96), {"can"})
    share = grid.share(image((0, 0.25, 0.5, 0.5), size=(100, 200)), "can", corner())
    assert_is(share, 1, 0.25)
    assert grid.share(image((0, 0, 1, 0.2), size=(100, 200)), "can", EVEN) is None, "nothing of the box is seen"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_turned_as_the_network_turns_images(orientation: int) -> None:
    upright = np.zeros((8, 8))
    upright[0, :3] = 1  # differs from all its turns
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    rows, columns = np.nonzero(stored)
    box = (columns.min() / 8, rows.min() / 8, (columns.max() + 1) / 8, (rows.max() + 1) / 8)
    turning = Preprocess(96, 96, Statistics(squash=True, exif=True))
    seen = np.kron(upright, np.ones((6, 6))).astype(np.float32)
    share = BoxGrid(turning, {"can"}).share(image(box, orientation=orientation), "can", seen)
    assert_is(share, 1, 3 / 64)
    also_turned = BoxGrid(turning, {"can"}, turned=True)
    assert also_turned.share(image((0, 0, 3 / 8, 1 / 8), orientation=orientation), "can", seen) == share
    as_stored = BoxGrid(SQUASHED, {"can"}, turned=True)
    flat = np.kron(stored, np.ones((6, 6))).astype(np.float32)
    assert as_stored.share(image((0, 0, 3 / 8, 1 / 8), orientation=orientation), "can", flat) == share


def test_means_are_of_images_with_boxes() -> None:
    assert mean_share([]) is None
    assert mean_share([BoxShare(0.5, 0.25), BoxShare(1, 0.75)]) == BoxShare(0.75, 0.5)
