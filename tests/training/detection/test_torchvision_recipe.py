"""The detectors of torchvision are trained, saved, loaded and served, each by its name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from data.dataset import CheckedImage
from data.outlines import pixels_of_runs
from models.architecture.architecture import DetectorArchitecture
from models.assembly import assemble
from models.images.decoding import ImageLimits
from models.runtime.precision import FP32
from tests.support.folders.checkpoints import LABELS as SERVED_LABELS
from tests.support.folders.checkpoints import write_json
from tests.support.folders.detector_folders import NAMES, assert_alike, build, load_detector, seeded_detector
from tests.training.detection.scenes import LABELS, detector_setup, plan, write_scene
from training.detection.torchvision_recipe import TorchvisionRecipe
from training.detection.trainable import NORMS_LEARN_UNTIL, saved_state
from training.metrics.detection import evaluate_detections
from training.metrics.detections import DetectedImage
from training.recipes import faster_rcnn, mask_rcnn, retinanet

FAMILIES = (faster_rcnn.RECIPE, mask_rcnn.RECIPE, retinanet.RECIPE)
FAST, MASKS = "fasterrcnn_resnet18_fpn", "maskrcnn_resnet18_fpn"
LIMITS = ImageLimits(2**24, 2**24)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[CheckedImage]:
    """Four scenes, of which the second is a background, the third has a crowd and the last stands upright."""
    folder = tmp_path_factory.mktemp("images")
    return [
        write_scene(folder, 0),
        write_scene(folder, 1, objects=0),
        write_scene(folder, 2, crowd=True, pixels=True),
        write_scene(folder, 3, (64, 96)),
    ]


def recipe_of(name: str, images: Sequence[CheckedImage], cache: Path, **given: Any) -> TorchvisionRecipe:
    torch.manual_seed(0)
    family = next(each for each in FAMILIES if name in each.names)
    recipe = family.build(detector_setup(name, images, cache, **given))
    assert isinstance(recipe, TorchvisionRecipe)
    return recipe


def take_steps(recipe: TorchvisionRecipe, batches: Sequence[Sequence[int]], rate: float = 1e-3) -> list[float]:
    """Train as the loop does, by the plainest optimiser; return the losses."""
    recipe.network.train()
    parameters = [each for each in recipe.network.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(parameters, rate)
    losses = []
    for number, indexes in enumerate(batches):
        torch.manual_seed(number)
        optimizer.zero_grad()
        loss = sum(recipe.losses(recipe.network, recipe.batch(plan(indexes, number))).values(), torch.zeros(()))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def write_folder(path: Path, name: str, recipe: TorchvisionRecipe) -> Path:
    (path / "artifacts").mkdir(parents=True)
    content = {"model_name": name, **recipe.checkpoint(recipe.network)}
    torch.save(content, path / "artifacts/model.pt")
    write_json(path / "artifacts/settings.json", recipe.settings())
    return path


def test_families_name_every_detector_of_torchvision() -> None:
    assert sorted(name for family in FAMILIES for name in family.names) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_trains_and_is_served(name: str, images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(name, images, tmp_path / "cache", min_size=32)
    before = recipe.network.backbone.body.conv1.weight.detach().clone()
    assert np.isfinite(take_steps(recipe, [[0, 1], [2]])).all()
    definition, network = assemble(write_folder(tmp_path / "model", name, recipe))
    assert definition.labels == LABELS
    assert not torch.equal(network.state_dict()["backbone.body.conv1.weight"], before)
    assert isinstance(definition.architecture, DetectorArchitecture)
    adapter = definition.architecture.adapter
    pixels = torch.from_numpy(np.array(Image.open(images[0].file)))
    with torch.inference_mode():
        graph = adapter.graph_source(network, FP32).module
        (found,) = adapter.detect(network, graph, [adapter.prepare(pixels, definition.settings.values)])
    assert found.boxes.shape == (len(found.scores), 4)
    with torch.device("meta"):
        stock = build(name, len(LABELS))
    state = torch.load(tmp_path / "model/artifacts/model.pt", weights_only=True)["model_state"]
    stock.load_state_dict(state, strict=True, assign=True)


@pytest.mark.parametrize("name", [FAST, MASKS])
def test_evaluation_says_what_a_server_replies(name: str, images: list[CheckedImage], tmp_path: Path) -> None:
    tiles = {} if name == MASKS else {"tile_grid_size": (2, 1)}
    images = [images[0], images[3]]
    recipe = recipe_of(
        name,
        images,
        tmp_path / "cache",
        validation=images,
        min_size=32,
        labels=tuple(SERVED_LABELS),
        pretrained=True,
        box_score_thresh=0.2,
        box_detections_per_img=12,
        **tiles,
    )
    recipe.network.load_state_dict(seeded_detector(name))
    evaluation = recipe.evaluate(recipe.network)
    assert {"log_loss", "mean_average_precision", "recall", "coco_ap", "coco_ap50"} <= evaluation.metrics.keys()
    assert list(evaluation.per_label) == list(SERVED_LABELS)
    model = load_detector(write_folder(tmp_path / "model", name, recipe))
    replied = 0
    for image, prediction in zip(images, evaluation.predictions, strict=True):
        decoded = model.read(image.file.read_bytes(), LIMITS, model.settings({}))
        reply: Any = model.combine(decoded, [model.outputs([each.data])[0] for each in decoded.inputs])
        assert prediction["image_url"] == image.image.url
        assert_alike(prediction["boxes"], reply.boxes, 1e-6)
        replied += len(reply.boxes)
    assert replied > 4


def test_evaluation_measures_the_same_loss_again_and_changes_nothing(
    images: list[CheckedImage], tmp_path: Path
) -> None:
    recipe = recipe_of(FAST, images, tmp_path, validation=images[:3], validation_metric_type="none", min_size=32)
    take_steps(recipe, [[0, 1]])
    state = {name: tensor.clone() for name, tensor in recipe.network.state_dict().items()}
    recipe.network.eval()
    one, same = (recipe.evaluate(recipe.network).metrics for _ in range(2))
    assert one == same
    assert one.keys() == {"log_loss"} and one["log_loss"] > 0
    assert not recipe.network.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in recipe.network.state_dict().items())


def test_evaluation_of_perfect_masks_is_perfect(images: list[CheckedImage], tmp_path: Path) -> None:
    """Judged by what is drawn, not by what a network finds, so that the truth itself is checked."""
    evaluation = recipe_of(MASKS, images, tmp_path, validation=images)._evaluation
    truth = evaluation._truth
    found = [DetectedImage(each.boxes, np.ones(len(each.labels)), each.labels, each.masks) for each in truth]
    options: dict[str, Any] = {"masks": True, "score_threshold": 0.3, "iou_threshold": 0.5, "metric_type": "voc"}
    assert evaluate_detections(found, truth, LABELS, **options).metrics["mean_average_precision"] == 1
    assert [each.size for each in truth] == [(96, 64), (96, 64), (96, 64), (64, 96)]
    assert [each.crowd.tolist() for each in truth] == [[False] * 2, [], [True, False], [False] * 2]
    for image, each in zip(images, truth, strict=True):
        drawn = np.asarray(Image.open(image.file)).max(2) > 90
        masks = [pixels_of_runs(mask) for mask in each.masks or ()]
        assert (np.any([np.zeros(drawn.shape, bool), *masks], 0) == drawn).all()


def test_losses_are_those_of_torchvision(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(
        MASKS,
        images,
        tmp_path,
        labels=tuple(SERVED_LABELS),
        pretrained=True,
        layers_to_freeze=0,
        regions_per_image=512,
        masks_per_image=128,
        apply_automl_train_augmentations=False,
    )
    stock = build(MASKS, len(SERVED_LABELS), min_size=48, max_size=80)
    stock.transform.torch_choice = lambda sizes: sizes[0]  # it would draw one of a single size
    for network in (recipe.network, stock):
        network.load_state_dict(seeded_detector(MASKS))
        network.train()
    batch = recipe.batch(plan([0, 1, 3]))
    torch.manual_seed(0)
    ours = recipe.losses(recipe.network, batch)
    resized = [image[:, :high, :wide] / 255 for image, (high, wide) in zip(batch.images, batch.sizes, strict=True)]
    torch.manual_seed(0)
    theirs = stock(resized, batch.targets)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert ours[key].item() == pytest.approx(value.item(), rel=1e-3), key


@pytest.mark.parametrize("name", [MASKS, "retinanet_resnet50_fpn"])
def test_boxes_are_learned_in_float32_under_autocast(name: str, images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(name, images, tmp_path)
    kinds: set[torch.dtype] = set()
    anchors = getattr(recipe.network, "rpn", recipe.network).anchor_generator
    anchors.register_forward_hook(lambda _, inputs, outputs: kinds.update(each.dtype for each in outputs))
    batch, losses = recipe.batch(plan([0, 3])), []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses.append(recipe.losses(recipe.network.train(), batch))
    assert kinds == {torch.float32}
    for key, value in losses[0].items():
        # the heads of an R-CNN learn from proposals, which may be others after rounding
        if key in ("loss_objectness", "loss_rpn_box_reg", "classification", "bbox_regression"):
            assert losses[1][key].item() == pytest.approx(value.item(), rel=0.02), key


def test_few_regions_and_masks_are_learned_where_one_asks_for_few(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(MASKS, images, tmp_path, regions_per_image=16, masks_per_image=1)
    counts: dict[str, int] = {}
    for head in ("box_head", "mask_head"):
        module = recipe.network.roi_heads.get_submodule(head)
        module.register_forward_pre_hook(lambda _, inputs, head=head: counts.update({head: len(inputs[0])}))
    take_steps(recipe, [[0, 2, 3]])
    assert counts == {"box_head": 48, "mask_head": 3}


def test_batch_norms_learn_from_random_weights_until_near_the_end(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(FAST, images, tmp_path)
    frozen = {key: value.shape for key, value in seeded_detector(FAST).items() if key.startswith("backbone")}
    state = saved_state(recipe.network)
    assert {key: value.shape for key, value in state.items() if key.startswith("backbone")} == frozen
    take_steps(recipe, [[0, 1]])
    assert moved(state, recipe, "bn1.running_mean") and moved(state, recipe, "conv1.weight")
    state = saved_state(recipe.network)
    recipe.network.train()
    recipe.losses(recipe.network, recipe.batch(plan([0, 1], progress=NORMS_LEARN_UNTIL)))
    assert not moved(state, recipe, "bn1.running_mean")


@pytest.mark.parametrize("given", [{}, {"layers_to_freeze": 5}, {"layers_to_freeze": 0}])
def test_trained_weights_keep_batch_norms_and_the_first_layers(
    given: Mapping[str, int], images: list[CheckedImage], tmp_path: Path
) -> None:
    recipe = recipe_of(FAST, images, tmp_path, pretrained=True, **given)
    state = saved_state(recipe.network)
    take_steps(recipe, [[0, 1]])
    assert not moved(state, recipe, "bn1.running_mean")
    learned = [moved(state, recipe, name) for name in ("body.conv1", "body.layer1", "body.layer2", "body.layer4")]
    count = given.get("layers_to_freeze", 2)
    assert learned == [count < 1, count < 2, count < 3, count < 5]
    assert moved(state, recipe, "roi_heads")


def test_batch_norms_of_layers_that_learn_may_learn_from_weights_too(
    images: list[CheckedImage], tmp_path: Path
) -> None:
    recipe = recipe_of(FAST, images, tmp_path, pretrained=True, learn_batch_norms=True)
    state = saved_state(recipe.network)
    take_steps(recipe, [[0, 1]])
    changed = [moved(state, recipe, f"{layer}.running_mean") for layer in ("body.bn1", "layer1.0.bn1", "layer2.0.bn1")]
    assert changed == [False, False, True]


def moved(before: Mapping[str, Tensor], recipe: TorchvisionRecipe, part: str) -> bool:
    after = saved_state(recipe.network)
    return any(part in name and not torch.equal(value, after[name]) for name, value in before.items())


def test_batches_follow_from_their_plan_alone(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(MASKS, images, tmp_path)
    one, same = (recipe.batch(plan([0, 1, 2, 3], seed=3)) for _ in range(2))
    assert torch.equal(one.images, same.images)
    assert all(torch.equal(a[key], b[key]) for a, b in zip(one.targets, same.targets, strict=True) for key in a)
    others = [recipe.batch(plan([0, 1, 2, 3], seed=seed)) for seed in range(4, 8)]
    assert any(one.images.shape != other.images.shape or not torch.equal(one.images, other.images) for other in others)


def test_batch_holds_images_of_several_sizes_and_backgrounds(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(MASKS, images, tmp_path, apply_automl_train_augmentations=False)
    batch = recipe.batch(plan([0, 1, 2, 3]))
    assert batch.sizes == ((48, 72), (48, 72), (48, 72), (72, 48))
    assert batch.images.shape == (4, 3, 96, 96)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.images[0, :, 48:].max() == 0 and batch.images[3, :, :, 48:].max() == 0
    assert [len(target["boxes"]) for target in batch.targets] == [2, 0, 2, 2]  # a crowd is learned too
    assert [tuple(target["masks"].shape[1:]) for target in batch.targets] == list(batch.sizes)
    assert batch.targets[0]["labels"].tolist() == [1, 2]  # after the background
    network = recipe.network.train()
    assert all(torch.isfinite(loss) for loss in recipe.losses(network, recipe.batch(plan([1]))).values())


def test_tiles_with_objects_are_further_examples(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(FAST, images, tmp_path, tile_grid_size="2x1", apply_automl_train_augmentations=False)
    assert recipe.example_count == 4 + 6  # two tiles of each image but the background
    batch = recipe.batch(plan([4, 5, 6]))
    assert batch.sizes == ((55, 48), (55, 48), (80, 30))
    for place, target in enumerate(batch.targets):
        for box in target["boxes"].int().tolist():
            middle = batch.images[place, :, (box[1] + box[3]) // 2, (box[0] + box[2]) // 2].int()
            assert middle[:2].max() > 150  # the colour of an object


def test_progressive_sizes_start_small(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(FAST, images, tmp_path, progressive_sizes=True, apply_automl_train_augmentations=False)
    early, late = (recipe.batch(plan([0], progress=progress)) for progress in (0.0, 0.9))
    assert (early.sizes, late.sizes) == (((29, 43),), ((48, 72),))
    ratio = late.targets[0]["boxes"] / early.targets[0]["boxes"]
    torch.testing.assert_close(ratio, torch.tensor([[72 / 43, 48 / 29] * 2] * 2))


def test_masks_of_many_objects_shrink_an_image(
    images: list[CheckedImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.detection.batch.MOST_MASK_PIXELS", 2 * 24 * 36)
    batch = recipe_of(MASKS, images, tmp_path, apply_automl_train_augmentations=False).batch(plan([0, 1]))
    assert batch.sizes == ((24, 36), (48, 72))
    assert batch.targets[0]["masks"].shape == (2, 24, 36)


def test_settings_and_checkpoint_name_what_scoring_needs(images: list[CheckedImage], tmp_path: Path) -> None:
    recipe = recipe_of(MASKS, images, tmp_path, image_type="PNG", export_as_image=True)
    assert recipe.settings() == {
        "min_size": 48,
        "max_size": 80,
        "box_score_thresh": 0.1,
        "nms_iou_thresh": 0.5,
        "box_detections_per_img": 100,
        "tile_overlap_ratio": 0.25,
        "tile_predictions_nms_thresh": 0.25,
        "mask_pixel_score_threshold": 0.5,
        "max_number_of_polygon_points": 100,
        "export_as_image": True,
        "image_type": "PNG",
    }
    checkpoint = recipe.checkpoint(recipe.network)
    assert checkpoint["number_of_classes"] == 3
    assert checkpoint["specs"]["classes"] == ["--bg--", *LABELS]
    assert checkpoint["specs"]["model_specs"] == {"mask_predictor_hidden_dim": 256}
    assert "classes" in checkpoint["specs"] and not any("tracked" in name for name in checkpoint["model_state"])
