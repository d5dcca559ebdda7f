from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.images.letterbox import fitted, letterbox
from training.detection.examples import DetectorExample
from training.detection.true_objects import TrueObjects
from training.detection.yolo_batches import YoloBatches
from training.recipe import StepPlan

RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, size, np.uint8) for size in ((90, 120, 3), (300, 200, 3), (64, 64, 3), (50, 33, 3))]
OBJECTS = [
    TrueObjects(
        np.array([[0.1, 0.2, 0.6, 0.9], [0.3, 0.3, 0.8, 0.7]])[:count],
        np.arange(count),
        np.array([False, True])[:count],
        ((),) * count,
    )
    for count in (1, 2, 0, 2)
]
SIDE = 64


def examples(images: Sequence[NDArray[np.uint8]]) -> list[DetectorExample]:
    return [DetectorExample(images, number, objects) for number, objects in enumerate(OBJECTS)]


BATCHES = YoloBatches(examples([fitted(image, SIDE) for image in IMAGES]), SIDE, True, True, False, False)


def plan(*indexes: int, seed: int = 0, progress: float = 0.0) -> StepPlan:
    rngs = [np.random.default_rng((seed, index)) for index in indexes]
    return StepPlan(np.array(indexes), rngs, np.random.default_rng(seed), progress)


def test_without_changes_training_sees_what_scoring_sees() -> None:
    plain = replace(BATCHES, mosaics=False, augmented=False)
    batch = plain.batch(plan(0, 1, 2, 3))
    for place, image in zip(batch.images, IMAGES, strict=True):
        assert np.array_equal(place.permute(1, 2, 0).numpy(), letterbox(image, SIDE)[0])
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    targets = batch.targets
    assert targets.images.tolist() == [0, 1, 3]
    assert targets.labels.tolist() == [0, 0, 0]
    assert targets.crowd_images.tolist() == [1, 3]
    # 90 x 120 pixels become 48 x 64, 8 from the top
    expected = [0.35 * 64, 0.55 * 48 + 8, 0.5 * 64, 0.7 * 48]
    torch.testing.assert_close(targets.boxes[0], torch.tensor(expected, dtype=torch.float32))


def test_an_example_follows_from_its_own_generator_alone() -> None:
    together, alone = BATCHES.batch(plan(0, 1, 3)), BATCHES.batch(plan(3))
    assert torch.equal(together.images[2], alone.images[0])
    mine = together.targets.images == 2
    assert torch.equal(together.targets.boxes[mine], alone.targets.boxes)
    assert not torch.equal(together.images[2], BATCHES.batch(plan(3, seed=1)).images[0])


def test_a_mosaic_shows_several_images() -> None:
    uniform = replace(
        BATCHES, examples=examples([np.full_like(image, 40 * number) for number, image in enumerate(IMAGES)])
    )
    values = [set(uniform.batch(plan(0, seed=seed)).images.flatten().tolist()) for seed in range(20)]
    assert max(len(each) for each in values) >= 4
    assert all(0 in each or len(each) < 4 for each in values)


@pytest.mark.parametrize(
    ("side", "progressive", "progress", "expected"),
    [
        pytest.param(160, False, 0.0, {96, 128, 160, 192, 224}, id="half-to-one-and-a-half"),
        pytest.param(64, False, 0.0, {64, 96}, id="at-least-two-cells"),
        pytest.param(32, False, 0.0, {32}, id="one-cell"),
        pytest.param(160, True, 0.5, {64, 96, 128}, id="small-at-first"),
        pytest.param(160, True, 0.7, {96, 128, 160, 192, 224}, id="full-at-last"),
    ],
)
def test_sizes_change_in_whole_cells(side: int, progressive: bool, progress: float, expected: set[int]) -> None:
    changing = replace(BATCHES, side=side, multi_scale=True, progressive=progressive)
    assert {changing.side_of(plan(0, seed=seed, progress=progress)) for seed in range(100)} == expected
    constant = replace(changing, multi_scale=False)
    assert constant.side_of(plan(0, progress=progress)) == (96 if progressive and progress < 0.7 else side)


def test_boxes_scale_with_the_size_of_a_batch() -> None:
    plain = replace(BATCHES, mosaics=False, augmented=False)
    full = plain.batch(plan(0))
    changing = replace(plain, multi_scale=True)
    scaled = next(batch for seed in range(20) if (batch := changing.batch(plan(0, seed=seed))).images.shape[2] == 96)
    torch.testing.assert_close(scaled.targets.boxes, full.targets.boxes * 1.5)
