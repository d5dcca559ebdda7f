"""The demo's detectors: training targets are what the images show, and training lowers the loss."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from examples.fridge.__main__ import main
from examples.fridge.detector.batch import make_batch
from examples.fridge.detector.detector import train_scenes
from examples.fridge.detector.network import BOXES, CLASSES, MASKS, served_network, served_state, training_network
from examples.fridge.detector.schedule import SCENES, SETTINGS, DetectorStage
from examples.fridge.folder import build
from examples.fridge.labelled_image import BACKGROUND
from examples.fridge.labelled_scene import NO_INSTANCE, LabelledScene, draw_labelled_scene
from examples.fridge.scene import draw_scene
from examples.fridge.task import TrainedModel, find_task
from examples.fridge.training.batch_norm import freeze, settle
from examples.fridge.training.evaluation import evaluate

SIZE = (160, 120)


class Always:
    """Chance that mirrors every image, or none."""

    def __init__(self, mirrored: bool) -> None:
        self.mirrored = mirrored

    def random(self) -> float:
        return 0.0 if self.mirrored else 0.9


@pytest.fixture(scope="module")
def scenes() -> list[LabelledScene]:
    return [draw_labelled_scene(SIZE, seed) for seed in range(8)]


def most_objects(scenes: list[LabelledScene]) -> LabelledScene:
    return max(scenes, key=lambda one: len(one.labels))


def test_a_labelled_scene_holds_what_was_drawn() -> None:
    scene, drawn = draw_labelled_scene(SIZE, 4), draw_scene(4, size=SIZE)
    assert np.array_equal(scene.image, drawn.image)
    assert [CLASSES[label + 1] for label in scene.labels] == [item.label for item in drawn.objects]
    assert scene.boxes.tolist() == [list(item.box) for item in drawn.objects]
    assert np.array_equal(scene.masks(), [item.mask for item in drawn.objects])


def test_its_labelled_images_are_about_one_object_each(scenes: list[LabelledScene]) -> None:
    scene = most_objects(scenes)
    images = scene.labelled_images()
    assert [image.label for image in images] == scene.labels.tolist()
    assert [image.box for image in images] == [tuple(box) for box in scene.boxes.astype(int).tolist()]
    class_map = images[0].class_map
    assert np.array_equal(class_map == BACKGROUND, scene.instance_map == NO_INSTANCE)
    for label, mask in zip(scene.labels, scene.masks(), strict=True):
        assert (class_map[mask] == label).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_targets_surround_their_masks_at_any_size(scenes: list[LabelledScene], mirrored: bool) -> None:
    batch = make_batch(Always(mirrored), scenes, (106, 80))  # type: ignore[arg-type]
    assert batch.inputs.shape == (len(scenes), 3, 96, 128)
    assert not batch.inputs[:, :, 80:].any()
    assert not batch.inputs[:, :, :, 106:].any()
    for target in batch.targets:
        assert target["masks"].shape == (len(target["boxes"]), 80, 106)
        assert target["labels"].min() >= 1
        for box, mask in zip(target["boxes"], target["masks"], strict=True):
            rows, columns = torch.where(mask.any(1))[0], torch.where(mask.any(0))[0]
            seen = torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert (box - seen).abs().max() <= 1.0


def test_mirroring_moves_images_and_targets_alike(scenes: list[LabelledScene]) -> None:
    plain, mirrored = (make_batch(Always(side), scenes, SIZE) for side in (False, True))  # type: ignore[arg-type]
    width = SIZE[0]
    assert torch.equal(mirrored.inputs[..., : SIZE[1], :width], plain.inputs[..., : SIZE[1], :width].flip(3))
    for one, other in zip(plain.targets, mirrored.targets, strict=True):
        assert torch.equal(other["masks"], one["masks"].flip(2))
        assert torch.equal(other["boxes"][:, [0, 2]], width - one["boxes"][:, [2, 0]])
        assert torch.equal(other["boxes"][:, [1, 3]], one["boxes"][:, [1, 3]])


def test_images_are_seen_as_a_served_network_sees_them(scenes: list[LabelledScene]) -> None:
    batch = make_batch(Always(False), scenes[:1], (106, 80))  # type: ignore[arg-type]
    network: Any = served_network(BOXES, SETTINGS | {"min_size": 80, "max_size": 160}, fresh_state(BOXES))
    picture = torch.from_numpy(scenes[0].image).permute(2, 0, 1).float() / 255
    images, _ = network.transform([picture])
    assert images.image_sizes == [(80, 106)]
    assert torch.allclose(images.tensors, batch.inputs, atol=1e-5)


def fresh_state(architecture: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return served_state(training_network(), architecture)


@pytest.fixture(scope="module")
def trained(scenes: list[LabelledScene]) -> tuple[Any, list[float]]:
    """A network and its losses over 12 steps, then 1 at another size."""
    torch.manual_seed(0)
    network = training_network()
    stages = [DetectorStage((64, 48), 24, 2, (1e-3, 1e-3)), DetectorStage((96, 64), 2, 2, (3e-4, 1e-5), settled=True)]
    return network, train_scenes(network, np.random.default_rng(0), scenes[:2], stages, masks=True)


def test_training_lowers_the_loss(trained: tuple[Any, list[float]]) -> None:
    _, losses = trained
    assert len(losses) == 13
    assert np.isfinite(losses).all()
    assert np.mean(losses[9:12]) < 0.75 * losses[0]


@pytest.mark.parametrize("architecture", [BOXES, MASKS])
def test_a_trained_network_can_be_served(
    architecture: str, trained: tuple[Any, list[float]], scenes: list[LabelledScene]
) -> None:
    state = served_state(trained[0], architecture)
    assert not any("num_batches_tracked" in name for name in state)
    assert any("mask" in name for name in state) == (architecture == MASKS)
    settings = SETTINGS | {"min_size": 48, "max_size": 64, "box_score_thresh": 0.05, "box_detections_per_img": 8}
    figures = evaluate(served_network(architecture, settings, state), scenes[:1])
    kinds = ("box",) if architecture == BOXES else ("box", "mask")
    assert sorted(figures) == sorted(
        f"{kind}_{figure}" for kind in kinds for figure in ("map50", "precision", "recall", "ap50_per_label")
    )


def test_without_masks_the_mask_head_learns_nothing(scenes: list[LabelledScene]) -> None:
    network: Any = training_network()
    weights = [network.roi_heads.mask_head[0][0].weight, network.roi_heads.box_head.fc7.weight]
    before = [weight.clone() for weight in weights]
    train_scenes(network, np.random.default_rng(0), scenes, [DetectorStage((64, 48), 2, 2, (1e-3, 1e-3))], masks=False)
    assert [torch.equal(one, other) for one, other in zip(weights, before, strict=True)] == [True, False]


def test_settled_statistics_stay(scenes: list[LabelledScene]) -> None:
    network: Any = training_network()
    inputs = make_batch(np.random.default_rng(0), scenes[:4], (64, 48)).inputs
    settle(network.backbone, [inputs, inputs])
    norm = network.backbone.body.bn1
    seen = network.backbone.body.conv1(inputs)
    assert torch.allclose(norm.running_mean, seen.mean((0, 2, 3)), atol=1e-5)
    network.train()
    freeze(network)
    kept = norm.running_mean.clone()
    network.backbone(2 * inputs)
    assert torch.equal(norm.running_mean, kept)


def test_the_network_learns_at_the_size_it_is_served() -> None:
    width, height = SCENES[-1].size
    assert min(width, height) == SETTINGS["min_size"]
    assert width <= SETTINGS["max_size"]
    assert all(before.size <= after.size for before, after in pairwise(SCENES))


def test_a_detectors_folder(tmp_path: Path) -> None:
    task = find_task("detection")
    details = {"architecture": BOXES, "box_map50": 0.9, "test_images": 2}
    trained = TrainedModel({"model_name": BOXES, "model_state": {}}, SETTINGS, 0.9, details)
    build(tmp_path / "demo", replace(task, train=lambda seed: trained), 0)
    described = (tmp_path / "demo/outputs/mlflow-model/MLmodel").read_text()
    assert "azureml.automl.task: image-object-detection" in described
    assert '[{"name": "boxes", "type": "string"}]' in described
    pictures = sorted((tmp_path / "demo/pictures").iterdir())
    assert [picture.name for picture in pictures] == [f"scene_{number:02d}.jpg" for number in range(1, 13)]
    with Image.open(pictures[0]) as picture:
        assert picture.size == (640, 480)


def test_tasks_say_what_they_are() -> None:
    detection, segmentation = find_task("detection"), find_task("segmentation")
    assert (detection.metric, detection.least) == ("box_map50", 0.8)
    assert (segmentation.metric, segmentation.least, segmentation.more_metrics) == ("mask_map50", 0.7, ("box_map50",))
    assert segmentation.automl_name == "image-instance-segmentation"


def test_every_task_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"architecture": MASKS, "mask_map50": 0.8, "box_map50": 0.9, "test_images": 2, "seconds": 3.0}
    built = []

    def toy_build(folder: Path, task: object, seed: int) -> dict[str, Any]:
        built.append(folder)
        return card

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("examples.fridge.__main__.build", toy_build)
    assert main(["build", "--task", "segmentation"]) == 0
    assert built == [Path("demo/fridge_segmentation")]
    assert "mask_map50 80.0%, box_map50 90.0% on 2 unseen images" in capsys.readouterr().err
