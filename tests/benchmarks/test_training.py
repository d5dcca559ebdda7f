"""What the benchmark of training compares: the same network, by the same job, and ratios within a round."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from benchmarks.training.classifier_parts import initial_network, optimizer_and_schedule
from benchmarks.training.comparison import TrainingComparison
from benchmarks.training.contestant import OURS, TrainedOnce, own_job
from benchmarks.training.plan import JITTER, LEAST_AREA, PROPORTIONS, TrainingPlan
from models.architecture.catalog import classifier_architecture
from training.augmentation.crops import _JITTER, _random_box
from training.job import read_job
from training.loop.optimizer import build_optimizer
from training.loop.schedule import schedule

PLAN = TrainingPlan("classification", "/images", side=96, batch_size=8, epochs=5, learning_rate=1e-3, seed=7)


@pytest.fixture
def ours(tmp_path: Path) -> object:
    job = tmp_path / "job.yml"
    for file in replace(PLAN, folder=str(tmp_path)).files:
        file.parent.mkdir()
        file.touch()
    job.write_text(yaml.safe_dump(own_job(replace(PLAN, folder=str(tmp_path)), "auto")))
    return read_job(job).hyperparameters


def test_all_start_from_the_same_weights(ours: object) -> None:
    network = initial_network(PLAN, 4)
    torch.manual_seed(ours.seed)  # type: ignore[attr-defined]
    other = classifier_architecture("resnet18").build(4, {}).state_dict()
    assert all(torch.equal(tensor, other[name]) for name, tensor in network.state_dict().items())


def test_all_use_the_same_optimizer_and_rates(ours: object) -> None:
    network = initial_network(PLAN, 4)
    optimizer, rates = optimizer_and_schedule(network, PLAN, 3)
    mine = build_optimizer(network, ours, PLAN.learning_rate)
    assert isinstance(optimizer, type(mine))
    groups = [
        [(sorted(id(each) for each in group["params"]), group["weight_decay"], group["betas"]) for group in one]
        for one in (optimizer.param_groups, mine.param_groups)
    ]
    assert groups[0] == groups[1]
    factor, steps = schedule(ours, 3, PLAN.epochs), range(15)
    assert [rates.lr_lambdas[0](step) for step in steps] == pytest.approx([factor(step) for step in steps])


def test_a_detector_is_told_the_size_that_the_other_uses(tmp_path: Path) -> None:
    plan = TrainingPlan("detection", str(tmp_path), side=320, batch_size=2, epochs=2, learning_rate=5e-3, seed=0)
    (tmp_path / "job.yml").write_text(yaml.safe_dump(own_job(plan, "fp32")))
    for file in plan.files:
        file.parent.mkdir()
        file.touch()
    job = read_job(tmp_path / "job.yml")
    sizes: Any = job.hyperparameters
    assert (job.model_name, sizes.min_size, sizes.max_size) == ("fasterrcnn_resnet50_fpn", 320, 533)


def test_the_same_crops_are_evaluated(ours: object) -> None:
    sizes = [getattr(ours, name) for name in ("train_crop_size", "valid_crop_size", "valid_resize_size")]
    assert sizes == [PLAN.side, PLAN.side, PLAN.resize]


def test_all_change_images_alike(ours: object) -> None:
    strength = ours.augmentation_strength  # type: ignore[attr-defined]
    boxes = [_random_box(np.random.default_rng(seed), 400, 400, strength) for seed in range(2000)]
    sides = np.array([(right - left, bottom - top) for left, top, right, bottom in boxes])
    assert sides.prod(1).min() / 400**2 == pytest.approx(LEAST_AREA, abs=0.01)
    proportions = sides[:, 0] / sides[:, 1]
    assert (proportions.min(), proportions.max()) == pytest.approx(PROPORTIONS, abs=0.01)
    assert pytest.approx(_JITTER * strength) == JITTER


def once(rates: list[float], accuracies: list[float]) -> TrainedOnce:
    return TrainedOnce(rates, accuracies, [10.0 * (each + 1) for each in range(len(rates))], 100.0, 900.0, "fp32")


def test_the_first_epoch_does_not_count() -> None:
    one = once([1.0, 40.0, 10.0], [0.5, 0.96, 0.97])
    assert one.rate == pytest.approx(16.0), "two epochs of the same images"
    assert one.seconds_to(0.95) == 20.0
    assert one.seconds_to(0.99) is None


@pytest.mark.parametrize(
    ("rate", "accuracy", "same_quality", "verdict"),
    [
        (13.0, 0.955, True, "met"),
        (11.0, 0.955, True, "MISSED"),
        (13.0, 0.94, True, "MISSED"),
        (13.0, 0.94, False, "met"),
    ],
)
def test_fast_and_as_accurate_is_what_is_wanted(rate: float, accuracy: float, same_quality: bool, verdict: str) -> None:
    results = {
        OURS: [once([1, rate], [0.5, accuracy])],
        "torchvision 0": [once([1, 5], [0.5, 0.5])],
        "torchvision 2": [once([1, 10], [0.5, 0.96])],
    }
    said = TrainingComparison(results, "accuracy").verdict("torchvision", 1.2, same_quality=same_quality)
    assert f"{rate / 10:.2f} times as fast as torchvision 2, wanted 1.2;" in said
    assert said.endswith(f": {verdict}")
