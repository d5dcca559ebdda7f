import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy import ndimage

from data.outlines import box_of_runs, pixels_of, pixels_of_runs, rasterised, run_lengths, traced
from data.record import LabelledObject, RunLengths


def blots(count: int) -> list[NDArray[np.bool_]]:
    """Return masks of soft blots: parts, holes, parts in holes, pixels that touch at corners, everything, nothing."""
    random = np.random.default_rng(0)
    masks = [np.ones((3, 5), bool), np.zeros((4, 2), bool), np.eye(6, dtype=bool)]
    for _ in range(count):
        height, width = random.integers(1, 80, 2)
        field = ndimage.gaussian_filter(random.normal(size=(height, width)), random.uniform(0, 5))
        masks.append(field > np.quantile(field, random.uniform(0.2, 0.95)))
    return masks


def test_run_lengths_are_those_of_pycocotools() -> None:
    for mask in blots(60):
        runs = run_lengths(mask)
        height, width = mask.shape
        expected = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert coco.frPyObjects({"size": [height, width], "counts": list(runs.counts)}, height, width) == expected
        assert np.array_equal(pixels_of_runs(runs), mask)
        left, top, wide, high = coco.toBbox(expected).tolist()
        box = box_of_runs(runs)
        corners = None if box is None else np.multiply(box, [width, height, width, height]).round(6).tolist()
        assert corners == ([left, top, left + wide, top + high] if mask.any() else None)


def test_traced_outlines_have_exactly_the_pixels_of_the_mask_inside() -> None:
    for mask in blots(60):
        assert np.array_equal(rasterised(traced(mask), mask.shape), mask)


def test_a_pixel_is_inside_if_its_centre_is() -> None:
    square = (0.1, 0.1, 0.6, 0.1, 0.6, 0.6, 0.1, 0.6)
    expected = np.zeros((10, 10), bool)
    expected[1:6, 1:6] = True
    assert np.array_equal(rasterised([square], (10, 10)), expected)
    just_short = tuple(value - 0.051 for value in square)
    expected = np.zeros((10, 10), bool)
    expected[0:5, 0:5] = True
    assert np.array_equal(rasterised([just_short], (10, 10)), expected)


def test_polygons_may_overlap_cross_themselves_and_leave_the_image() -> None:
    twice = [(-1.0, -1.0, 0.5, -1.0, 0.5, 2.0, -1.0, 2.0), (0.25, 0.0, 1.0, 0.0, 1.0, 0.5, 0.25, 0.5)]
    expected = np.zeros((4, 4), bool)
    expected[:, :2] = expected[:2] = True
    assert np.array_equal(rasterised(twice, (4, 4)), expected)
    bow_tie = (0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0)
    assert rasterised([bow_tie], (100, 100)).sum() == pytest.approx(5000, abs=100)
    assert not rasterised([(2.0, 2.0, 3.0, 2.0, 3.0, 3.0)], (4, 4)).any()
    assert not rasterised([(0.5, 0.5)], (4, 4)).any()
    assert rasterised([(-1e308, -1e308, 1e308, -1e308, 1e308, 1e308, -1e308, 1e308)], (4, 4)).all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_polygons_have_the_pixels_that_pycocotools_gives_them() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        angles = np.sort(random.uniform(0, 2 * np.pi, 9))
        points = np.stack([0.5 + 0.4 * np.cos(angles), 0.5 + 0.4 * np.sin(angles)], 1)
        ours = rasterised([tuple(points.ravel().tolist())], (240, 320))
        runs = coco.frPyObjects([(points * (320, 240)).ravel().tolist()], 240, 320)
        theirs = coco.decode(runs)[:, :, 0].astype(bool)
        assert (ours & theirs).sum() / (ours | theirs).sum() > 0.98


def test_an_object_is_its_mask_else_its_polygons_else_its_box() -> None:
    box = (0.0, 0.0, 0.5, 1.0)
    triangle = ((0.0, 0.0, 1.0, 0.0, 0.0, 1.0),)
    mask = RunLengths((4, 4), (15, 1))
    assert pixels_of(LabelledObject("can", box, triangle, mask), (4, 4)).sum() == 1
    assert pixels_of(LabelledObject("can", box, triangle, mask), (40, 40)).sum() == pytest.approx(800, abs=20)
    assert pixels_of(LabelledObject("can", box, (), mask), (40, 40))[30:, 30:].sum() == pytest.approx(50, abs=20)
    assert pixels_of(LabelledObject("can", box), (4, 4)).sum() == 8


def test_runs_that_are_not_as_many_pixels_are_refused() -> None:
    for counts in ((3,), (5, 4, 8), (-1, 17)):
        with pytest.raises(ValueError, match="runs of a mask"):
            pixels_of_runs(RunLengths((4, 4), counts))
