"""RISE: its maps by hand, where it points, when it stops, and rows that the scoring runtime computes."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.attribution import Attribution
from explain.network.executor import Executor
from explain.network.work_items import ScoredRows, WorkSlice
from explain.perturbation.fills import fill
from explain.perturbation.mask_sampling import MaskSampling
from explain.request.targets import ExplainedTarget, fixed_targets
from explain.run import begin, explain
from models.images.preprocess import Preprocess
from tests.support.explain_networks import SIDE, difference, executor_of, parameters_for, pixels, seeded_executor

MASKS = {"n_masks": 16, "seed": 2}


class Corner(nn.Module):
    """Two logits: the mean of the upper left quarter of the inputs, and 1."""

    def forward(self, x: Tensor) -> Tensor:
        corner = x[:, :, : SIDE // 2, : SIDE // 2].mean((1, 2, 3))
        return torch.stack([corner, torch.ones_like(corner)], dim=1)


def one(executor: Executor, target: int, image: Tensor, **keys: object) -> Attribution:
    parameters = parameters_for("rise", **keys)
    (attribution,) = explain(executor, image, parameters, fixed_targets(target), batch_size=4).attributions
    return attribution


def white() -> Tensor:
    return torch.full((SIDE, SIDE, 3), 255, dtype=torch.uint8)


@pytest.mark.parametrize("share", [0.5, 0.7])
def test_maps_are_those_of_the_paper(share: float) -> None:
    """Masked images, scored one by one, and their masks, weighted with the scores and divided by what they cover."""
    executor, image = seeded_executor(), pixels()
    sampling = MaskSampling(image.numpy(), [fill("black", image.numpy())], n_masks=16, share=share, seed=2)
    masks = np.stack([sampling.masks.mask(number) for number in range(16)])
    masked = (masks[..., None] * image.numpy() + 0.5).astype(np.uint8)
    inputs = Preprocess(SIDE, SIDE).inputs(torch.from_numpy(masked))
    with torch.no_grad():
        scores = executor.network(inputs).softmax(1)[:, 3].numpy()
    expected = np.einsum("n,nhw->hw", scores, masks) / masks.sum(0) - scores.mean()
    keys = {"baseline": "black", "output": "probability", "mask_share": share, **MASKS}
    found = one(executor, 3, image, **keys).values.numpy()
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_map_shows_where_the_score_comes_from_and_the_sampling_ends_early() -> None:
    found = one(executor_of(Corner()), 0, white(), baseline="black", n_masks=2000)
    values = found.values.numpy()
    assert values[2:24, 2:24].min() > values[40:, 40:].max()
    assert found.agreement is not None
    assert found.agreement >= 0.9
    assert found.forward_passes is not None
    assert found.forward_passes < 2001
    assert found.notes == ()


def test_a_map_of_chance_says_so() -> None:
    found = one(seeded_executor(), 1, white(), baseline="white", **MASKS)
    assert not found.values.any(), "hiding white by white changes nothing"
    assert (found.forward_passes, found.agreement) == (17, 0.0)
    assert "agree by 0.00" in found.notes[0]
    assert "Raise n_masks" in found.notes[0]


def test_scores_that_masks_bring_to_zero_are_told() -> None:
    class Fragile(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            whole = (x.amin((1, 2, 3)) > 2).float() * 40 - 20
            return torch.stack([whole, torch.zeros_like(whole)], dim=1)

    found = one(executor_of(Fragile()), 0, white(), baseline="black", output="probability", **MASKS)
    assert "nearly 0 under 100% of the masks" in found.notes[-1]


def test_time_ends_the_sampling_after_a_round() -> None:
    asked = []

    def out_of_time(growth: float) -> bool:
        asked.append(growth)
        return len(asked) == 2

    parameters = parameters_for("rise", n_masks=500, baseline="white")
    run = explain(seeded_executor(), pixels(), parameters, fixed_targets(0), out_of_time)
    (found,) = run.attributions
    assert found.forward_passes == 65
    assert asked == [1.0, 0.5], "the share by which each round adds to the work"
    assert "Time allowed for 64 of 500 masks." in found.notes


@pytest.mark.parametrize("count", [1, 3])
def test_all_targets_share_their_passes(count: int) -> None:
    rows: list[int] = []

    def score(images: Sequence[Tensor]) -> Sequence[Tensor]:
        rows.append(len(images))
        return [torch.arange(4.0)] * len(images)

    executor = with_score(score)
    targets = fixed_targets(*range(count))
    found = explain(executor, pixels(), parameters_for("rise", **MASKS), targets, batch_size=8)
    assert len(found.attributions) == count
    assert rows == [8, 8]


@pytest.mark.parametrize("name", ["rise", "kernel_shap"])
def test_a_label_against_another_is_the_difference_of_their_maps(name: str) -> None:
    def found(target: ExplainedTarget) -> Tensor:
        parameters = parameters_for(name, **MASKS)
        return explain(seeded_executor(), pixels(), parameters, lambda logits: [target]).attributions[0].values

    expected = found(ExplainedTarget(1)) - found(ExplainedTarget(3))
    assert difference(found(ExplainedTarget(1, against=3)), expected) < 1e-3


def test_without_targets_nothing_is_masked() -> None:
    executor = with_score(lambda images: pytest.fail("no image needs to be scored"))
    assert explain(executor, pixels(), parameters_for("rise"), fixed_targets()).attributions == ()


def test_rows_are_made_when_a_batch_takes_them_and_filled_to_its_size() -> None:
    made: list[int] = []
    scored: list[int] = []

    def row(number: int) -> Tensor:
        made.append(number)
        return torch.full((2, 2, 3), number, dtype=torch.uint8)

    def score(images: Sequence[Tensor]) -> Sequence[Tensor]:
        scored.append(len(images))
        return [image.float().mean()[None] for image in images]

    found: dict[int, float] = {}
    item = ScoredRows(5, row, lambda number, logits: found.update({number: float(logits)}), first=10)
    other = ScoredRows(1, row, lambda number, logits: found.update({-1: float(logits)}), first=70)
    executor = with_score(score)
    assert made == []
    executor.run([WorkSlice(item, 0, 3)], 4)
    assert made == [10, 11, 12]
    executor.run([WorkSlice(item, 3, 5), WorkSlice(other, 0, 1)], 4)
    assert scored == [4, 4]
    assert found == {10: 10, 11: 11, 12: 12, 13: 13, 14: 14, -1: 70}
    assert item.finished == item.count


def test_memory_does_not_grow_with_the_masks() -> None:
    image = pixels().numpy()
    sampling = MaskSampling(image, [fill("blur", image)], n_masks=10_000, share=0.5, seed=0)
    for _ in range(3):
        for number in sampling.next_round:
            sampling.masked(number)
            sampling.add(number, np.ones(1))
        assert sampling._shown == {}, "no mask is kept once its score is known"


def test_the_run_begins_with_one_stage_for_the_image_itself() -> None:
    run = begin(seeded_executor(), pixels(), parameters_for("rise", **MASKS), fixed_targets(0))
    assert run.key is not None
    assert run.key[0] == "forward"


def with_score(score: Callable[[Sequence[Tensor]], Sequence[Tensor]]) -> Executor:
    seeded = seeded_executor()
    return Executor(seeded.network, seeded.device, seeded.normalise, seeded.cam_layer, score=score)
