"""Masks and outlines against torchvision's pasting, and against the masks that outlines are drawn back to."""

from base64 import b64decode
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw
from torchvision.models.detection.roi_heads import paste_masks_in_image

from models.detection.instances import Instances, objects
from models.detection.masks import paste_probabilities, with_outlines
from models.detection.polygons import polygons
from settings.model import SegmentationSettings
from tests.support.contract import contract
from tests.support.references.outlines import plain_polygons

Mask = NDArray[np.bool_]


def smooth(random: np.random.Generator) -> NDArray[np.float32]:
    rough = torch.from_numpy(random.uniform(0, 1, (28, 28)).astype(np.float32))
    soft = torch.nn.functional.avg_pool2d(rough[None, None], 7, 1, 3, count_include_pad=False)[0, 0]
    return ((soft - soft.mean()) / soft.std() / 4 + 0.5).clamp(0, 1).numpy()


def whole(box: NDArray[np.float64], mask: NDArray[np.float32], size: tuple[int, int]) -> Mask:
    placed = paste_probabilities(box, mask, size, 0.5)
    canvas = np.zeros(size, dtype=bool)
    height, width = placed.pixels.shape
    canvas[placed.top : placed.top + height, placed.left : placed.left + width] = placed.pixels
    return canvas


def test_masks_are_drawn_as_torchvision_pastes_them() -> None:
    random = np.random.default_rng(0)
    differing, drawn = 0, 0
    for number in range(150):
        height, width = (int(side) for side in random.integers(1, 200, 2))
        x, y = np.sort(random.uniform(0, width, 2)), np.sort(random.uniform(0, height, 2))
        box = np.array([x[0], y[0], x[1], y[1]])
        if number % 3 == 0:
            box[[1, 2]] = 0, width  # up to two edges
        if number % 7 == 0:
            box[2:] = box[:2]  # of no size
        mask = smooth(random)
        pasted = paste_masks_in_image(
            torch.from_numpy(mask)[None, None], torch.from_numpy(box.astype(np.float32))[None], (height, width)
        )[0, 0].numpy()
        found = whole(box.astype(np.float32).astype(np.float64), mask, (height, width))
        differing += int((found != (pasted > 0.5)).sum())
        drawn += int(found.sum())
    assert drawn > 100_000
    assert differing <= 2, "in all of them together, where rounding decides"


def redrawn(outlines: list[list[float]], size: tuple[int, int]) -> Mask:
    """Draw polygons as their readers do: what an odd number of them covers is inside."""
    height, width = size
    canvas = Image.new("1", (width, height))
    for outline in outlines:
        points = [(round(x * width), round(y * height)) for x, y in zip(outline[::2], outline[1::2], strict=True)]
        layer = Image.new("1", (width, height))
        ImageDraw.Draw(layer).polygon(points, fill=1)
        canvas = ImageChops.logical_xor(canvas, layer)
    return np.asarray(canvas)


def corners_of(mask: Mask, most_points: int = 1000) -> list[list[float]]:
    return polygons(mask, most_points, (0, 0), mask.shape[::-1])


@contract("Images and boxes", "Masks become closed outlines, moved by the original's half pixel")
def test_a_square_as_worked_by_hand() -> None:
    mask = np.zeros((8, 10), dtype=bool)
    mask[2:5, 3:7] = True
    (outline,) = corners_of(mask)
    points = {(round(x * 10), round(y * 8)) for x, y in zip(outline[::2], outline[1::2], strict=True)}
    assert outline[:2] == outline[-2:], "closed"
    assert {x for x, _ in points} == {3, 4, 5, 6, 7}
    assert {y for _, y in points} == {2, 3, 4, 5}


@contract("Images and boxes", "Holes are outlines of their own")
def test_a_hole_is_an_outline_of_its_own() -> None:
    mask = np.zeros((60, 80), dtype=bool)
    mask[10:50, 10:70] = True
    mask[20:40, 30:50] = False
    outlines = corners_of(mask)
    assert len(outlines) == 2
    assert (redrawn(outlines, mask.shape) != mask).mean() < 0.06, "all but the pixels along the outlines"
    assert not redrawn(outlines, mask.shape)[25:35, 35:45].any()


def test_parts_are_outlines_of_their_own_and_touch_the_edges() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[:10, :10] = mask[30:, 30:] = True
    outlines = corners_of(mask)
    assert len(outlines) == 2
    assert all(0 <= value <= 1 for outline in outlines for value in outline)


def test_a_mask_without_a_pixel_has_no_outline() -> None:
    assert corners_of(np.zeros((5, 5), dtype=bool)) == []
    assert corners_of(np.zeros((0, 5), dtype=bool)) == []


@contract("Images and boxes", "Outlines are simplified to at most 100 points")
@pytest.mark.parametrize("most_points", [100, 20, 8])
def test_outlines_keep_to_their_number_of_points(most_points: int) -> None:
    y, x = np.mgrid[:200, :200]
    mask = (x - 100) ** 2 + (y - 90) ** 2 < 80**2
    (fine,), (outline,) = corners_of(mask), corners_of(mask, most_points)
    assert len(fine) // 2 > 100 >= most_points >= len(outline) // 2 > most_points // 4
    assert (redrawn([outline], mask.shape) != mask).mean() < (0.2 if most_points == 8 else 0.03)


def overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


@contract("Images and boxes", "Of equally far points of an outline the last one stays")
@pytest.mark.parametrize("most_points", [30, 100])
@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_simplified_outlines_fill_what_those_of_the_hosted_procedure_fill(most_points: int, threshold: float) -> None:
    random = np.random.default_rng(most_points)
    simplified = 0
    for _ in range(30):
        height, width = (int(side) for side in random.integers(60, 260, 2))
        box = np.array([random.uniform(0, 20), random.uniform(0, 20), width - 10, height - 5])
        placed = paste_probabilities(box, smooth(random), (height, width), threshold)
        mask = np.zeros((height, width), dtype=bool)
        rows, columns = placed.pixels.shape
        mask[placed.top : placed.top + rows, placed.left : placed.left + columns] = placed.pixels
        ours = polygons(placed.pixels, most_points, (placed.left, placed.top), (width, height))
        theirs = plain_polygons(mask, most_points)
        assert ours == theirs
        assert overlap(redrawn(ours, mask.shape), mask) >= overlap(redrawn(theirs, mask.shape), mask)
        simplified += ours != plain_polygons(mask, 10**6)
    assert simplified > 20


def instances(settings: SegmentationSettings, count: int = 2) -> Instances:
    random = np.random.default_rng(1)
    boxes = np.array([[0.1, 0.2, 0.6, 0.9], [0.5, 0.0, 1.0, 0.5]])[:count]
    masks = np.stack([smooth(random) for _ in range(2)])[:count]
    scores, labels = np.array([0.9, 0.8], np.float32)[:count], np.array([0, 1])[:count]
    return Instances(boxes, scores, labels, list(masks), (60, 90), settings, np.zeros(count, np.int64))


def predicted(**settings: Any) -> list[Any]:
    given = instances(SegmentationSettings(**settings))
    return with_outlines(given, objects(given, ["can", "carton"]))


def test_objects_get_their_outlines() -> None:
    found = predicted()
    assert [list(one) for one in found] == [["box", "label", "score", "polygon"]] * 2
    for one, box in zip(found, instances(SegmentationSettings()).boxes, strict=True):
        x = [value for outline in one["polygon"] for value in outline[::2]]
        assert box[0] - 0.05 <= min(x) <= max(x) <= box[2] + 0.05


@pytest.mark.parametrize(("kind", "form"), [("JPG", "JPEG"), ("PNG", "PNG"), ("BMP", "BMP")])
def test_masks_come_as_images_of_the_kind_that_is_set(kind: str, form: str) -> None:
    for one, plain in zip(predicted(export_as_image=True, image_type=kind), predicted(), strict=True):
        image = Image.open(BytesIO(b64decode(one["mask"])))
        assert (image.format, image.size, image.mode) == (form, (90, 60), "L")
        drawn = np.asarray(image) > 127
        assert (redrawn(plain["polygon"], (60, 90)) != drawn).mean() < 0.1
        assert drawn.any()


def test_a_higher_threshold_draws_less() -> None:
    def areas(threshold: float) -> list[int]:
        found = predicted(mask_pixel_score_threshold=threshold, export_as_image=True, image_type="PNG")
        return [int((np.asarray(Image.open(BytesIO(b64decode(one["mask"])))) > 0).sum()) for one in found]

    assert all(more > less > 0 for more, less in zip(areas(0.4), areas(0.6), strict=True))
