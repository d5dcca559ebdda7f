"""MaskFormer and Mask2Former of transformers against the library itself: scores, masks, boxes and outlines."""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from models.detection.masks import paste_pixels
from models.detector import Detector
from models.errors import ModelError
from models.huggingface.mask_adapter import select
from models.loaded import load
from models.predictions import Boxes, Object
from settings.model import QuerySegmentationSettings
from tests.support.folders.checkpoints import LABELS
from tests.support.folders.transformers_folders import SEGMENTERS, Reference, save
from tests.support.images import LIMITS, encoded, painted
from tests.support.references.outlines import plain_polygons

IMAGES = [encoded(painted(seed, *size), "PNG") for seed, size in enumerate([(151, 97), (90, 207), (60, 50)])]
MASK2FORMER, MASKFORMER = SEGMENTERS


@dataclass(frozen=True)
class Served:
    """A loaded folder beside the library's own way to use it."""

    name: str
    model: Detector
    original: Reference


@pytest.fixture(scope="module", params=SEGMENTERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = save(tmp_path_factory.mktemp("hf") / "model", request.param)
    model = load(folder)
    assert isinstance(model, Detector)
    yield Served(request.param, model, Reference(folder, request.param))


def predicted(model: Detector, data: bytes, **given: Any) -> list[Object]:
    read = model.read(data, LIMITS, model.settings(given))
    prediction = model.combine(read, [model.outputs([one.data])[0] for one in read.inputs])
    assert isinstance(prediction, Boxes)
    return prediction.boxes


def size_of(model: Detector, data: bytes) -> tuple[int, int]:
    size: tuple[int, int] = model.read(data, LIMITS, model.settings({})).inputs[0].data.size
    return size


def whole(mask: torch.Tensor, box: torch.Tensor, size: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros(size, dtype=np.bool_)
    placed = paste_pixels(box.double().numpy() * [*size[::-1], *size[::-1]], mask.numpy(), size)
    height, width = placed.pixels.shape
    canvas[placed.top : placed.top + height, placed.left : placed.left + width] = placed.pixels
    return canvas


def test_masks_are_those_of_the_library(served: Served) -> None:
    model, count = served.model, 0
    for data in IMAGES:
        size = size_of(model, data)
        expected = served.original.masks(data, 0.4, size)
        (found,) = model.outputs([model.read(data, LIMITS, model.settings({"box_score_thresh": 0.4})).inputs[0].data])
        assert [LABELS[label] for label in found.labels.tolist()] == [label for label, _, _ in expected]
        assert found.scores.tolist() == pytest.approx([score for _, score, _ in expected], abs=1e-5)
        assert found.masks is not None
        for mask, box, (_, _, original) in zip(found.masks, found.boxes, expected, strict=True):
            assert mask.dtype == torch.bool
            # where a logit comes within rounding of 0, a cell falls to either side
            assert (whole(mask, box, size) != original.numpy()).mean() <= 1e-3
            count += 1
    assert count >= 10


def test_outlines_and_boxes_surround_the_masks(served: Served) -> None:
    data = IMAGES[0]
    height, width = size = size_of(served.model, data)
    objects = predicted(served.model, data, box_score_thresh=0.4, max_number_of_polygon_points=100000)
    expected = served.original.masks(data, 0.4, size)
    assert len(objects) == len(expected) >= 3
    exact = 0
    for one, (label, score, mask) in zip(objects, expected, strict=True):
        assert one["label"] == label
        assert one["score"] == pytest.approx(score, abs=1e-5)
        rows, columns = mask.any(1).nonzero().flatten().tolist(), mask.any(0).nonzero().flatten().tolist()
        assert list(one["box"].values()) == pytest.approx(
            [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height], abs=1e-6
        )
        exact += one["polygon"] == plain_polygons(mask.numpy(), 100000)
    assert exact >= len(expected) - 1, "but for a cell that rounding decides"


def test_masks_come_as_images_of_the_size_that_was_seen(served: Served) -> None:
    height, width = size = size_of(served.model, IMAGES[0])
    options = {"box_score_thresh": 0.4, "export_as_image": True, "image_type": "PNG"}
    (best, *_) = predicted(served.model, IMAGES[0], **options)
    drawn = np.asarray(Image.open(BytesIO(b64decode(best["mask"]))))
    assert drawn.shape == (height, width)
    (_, _, mask), *_ = served.original.masks(IMAGES[0], 0.4, size)
    assert ((drawn == 255) != mask.numpy()).mean() <= 1e-3


def test_what_is_served_is_described(served: Served) -> None:
    definition = served.model.definition
    assert definition.architecture.name == f"transformers/{served.name}"
    assert (definition.labels, definition.task.name) == (LABELS, "segmentation")
    fresh = definition.architecture.build(len(LABELS), definition.settings.values)
    assert fresh.state_dict().keys() == served.model.network.state_dict().keys()


def test_a_batch_finds_what_each_image_holds_alone(served: Served) -> None:
    model, settings = served.model, served.model.settings({"box_score_thresh": 0.4})
    inputs = [model.read(encoded(painted(seed, 120, 90), "PNG"), LIMITS, settings).inputs[0].data for seed in range(3)]
    for one, found in zip(inputs, model.outputs(inputs), strict=True):
        (alone,) = model.outputs([one])
        assert found.labels.tolist() == alone.labels.tolist()
        torch.testing.assert_close(found.scores, alone.scores, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.boxes, alone.boxes, atol=0.02, rtol=0)


def test_masks_follow_their_boxes_into_tiles(served: Served) -> None:
    model = served.model
    data = IMAGES[0]
    height, width = size_of(model, data)
    objects = predicted(model, data, box_score_thresh=0.4, tile_grid_size=[2, 1], tile_predictions_nms_thresh=1.0)
    assert len(objects) > len(predicted(model, data, box_score_thresh=0.4))
    for one in objects:
        left, top, right, bottom = one["box"].values()
        xs = [x for outline in one["polygon"] for x in outline[::2]]
        ys = [y for outline in one["polygon"] for y in outline[1::2]]
        # an outline runs through the outermost pixels
        assert (min(xs), max(xs)) == pytest.approx((left, right), abs=1.6 / width)
        assert (min(ys), max(ys)) == pytest.approx((top, bottom), abs=1.6 / height)
    assert any(one["box"]["bottomX"] < 0.7 for one in objects), "some are within the left tile"


def settings(**values: Any) -> QuerySegmentationSettings:
    return QuerySegmentationSettings.model_validate({"box_score_thresh": 0.1} | values)


def test_a_mask_as_worked_by_hand() -> None:
    masks = torch.full((2, 3, 4), -4.0)
    masks[0, 0, 1:3] = 4
    masks[1, 2, 3] = 1.0
    shares = torch.tensor([[0.1, 0.8, 0.1], [0.6, 0.1, 0.3]])  # the last column means nothing
    found = select(shares.log(), masks, (6, 8), settings())
    mask_scores = torch.tensor([4.0, 1.0]).sigmoid()
    assert found.labels.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.8 * float(mask_scores[0]), 0.6 * float(mask_scores[1])], abs=1e-5)
    assert found.boxes.tolist() == [[0.25, 0, 0.75, pytest.approx(1 / 3)], [0.75, pytest.approx(2 / 3), 1, 1]]
    assert found.masks is not None
    assert [mask.shape for mask in found.masks] == [(2, 4), (2, 2)]
    assert all(mask.all() for mask in found.masks)


def test_the_threshold_of_pixels_moves_the_edges_of_masks_and_not_scores() -> None:
    masks = torch.tensor([[[0.9, 0.6, 0.2]]]).logit()
    shares = torch.tensor([[0.9, 0.1]])
    widths = {}
    for threshold in (0.0, 0.1, 0.5, 0.8, 1.0):
        found = select(shares.log(), masks, (1, 3), settings(mask_pixel_score_threshold=threshold))
        widths[threshold] = [mask.shape[1] for mask in found.masks or ()]
        assert all(score == pytest.approx(0.9 * 0.75, abs=1e-5) for score in found.scores.tolist())
    assert widths == {0.0: [3], 0.1: [3], 0.5: [2], 0.8: [1], 1.0: []}


def test_overlapping_masks_of_a_label_may_be_suppressed() -> None:
    masks = torch.ones(2, 2, 2)
    shares = torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    assert len(select(shares.log(), masks, (2, 2), settings()).labels) == 2
    assert len(select(shares.log(), masks, (2, 2), settings(nms_iou_thresh=0.5)).labels) == 1
    assert len(select(shares.log(), masks, (2, 2), settings(box_detections_per_img=1)).labels) == 1


@pytest.mark.parametrize(
    ("box", "shape"),
    [((2, 1, 6, 5), (4, 4)), ((2.2, 0.9, 5.8, 5.1), (9, 3)), ((7.6, 5.9, 8, 6), (40, 30)), ((0, 0, 8, 6), (1, 1))],
)
def test_a_mask_fills_its_box_within_the_image(box: tuple[float, ...], shape: tuple[int, int]) -> None:
    placed = paste_pixels(np.array(box), np.ones(shape, dtype=np.bool_), (6, 8))
    height, width = placed.pixels.shape
    assert placed.pixels.all()
    assert 0 <= placed.left <= placed.left + width <= 8
    assert 0 <= placed.top <= placed.top + height <= 6
    if shape == (4, 4):
        assert (placed.left, placed.top, width, height) == (2, 1, 4, 4)


def test_padded_masks_are_refused(tmp_path: Path) -> None:
    processor = {"size": {"height": 64, "width": 64}, "pad_size": {"height": 96, "width": 96}, "do_pad": True}
    with pytest.raises(ModelError, match="with a pad_size, masks would cover the padding too"):
        load(save(tmp_path / "m", MASK2FORMER, processor=processor))
