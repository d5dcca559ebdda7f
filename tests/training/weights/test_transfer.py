from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.architecture.catalog import architecture
from models.labels import Label
from tests.support.folders.transformers_folders import save
from tests.support.seeded_yolov5 import THIN, seeded_yolov5
from training.errors import TrainingError
from training.hyperparameters.resolution import trained_architecture
from training.weights.search import find_weights
from training.weights.starting_weights import StartingWeights
from training.weights.transfer import Transfer, take_over


def built(name: str, labels: int, seed: int = 0, **settings: Any) -> nn.Module:
    found = architecture(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return found.build(labels + int(getattr(found, "background", False)), found.settings(**settings))


def weights(network: nn.Module, labels: Sequence[Label] | None) -> StartingWeights:
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return StartingWeights(state, "weights.pth", "0" * 64, None if labels is None else tuple(labels))


def taken(name: str, old: Sequence[Label] | None, new: Sequence[Label], **settings: Any) -> tuple[Any, Any, Transfer]:
    """Return the tensors of a network, those it took over, and what it took."""
    given = built(name, len(old) if old is not None else 1000, seed=1)
    network = built(name, len(new), seed=2, **settings)
    transfer = take_over(network, weights(given, old), new, architecture(name).adapt)
    return network.state_dict(), given.state_dict(), transfer


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet18", "fc"),
        ("mobilenetv2", "classifier.1"),
        ("torchvision/squeezenet1_1", "classifier.1"),
        ("timm/resnet10t", "fc"),
    ],
)
def test_rows_of_a_classifier_follow_their_labels(name: str, head: str) -> None:
    own, given, transfer = taken(name, ["can", "carton", "milk"], ["bottle", "milk", "can", "tin"])
    for part in ("weight", "bias"):
        new, old = own[f"{head}.{part}"], given[f"{head}.{part}"]
        assert torch.equal(new[1], old[2]) and torch.equal(new[2], old[0])
    assert not torch.equal(own[f"{head}.weight"][3], given[f"{head}.weight"][1])
    assert transfer.labels == ("milk", "can")
    assert transfer.fresh == ()
    assert all(torch.equal(own[each], given[each]) for each in transfer.taken if not each.startswith(head))


def test_a_head_without_a_common_label_starts_fresh() -> None:
    own, given, transfer = taken("resnet18", ["a", "b"], ["c", "d"])
    assert transfer.fresh == ("fc.weight", "fc.bias")
    assert not torch.equal(own["fc.weight"], given["fc.weight"])
    assert torch.equal(own["layer4.1.conv2.weight"], given["layer4.1.conv2.weight"])


def test_labels_that_are_numbers_equal_their_texts() -> None:
    own, given, transfer = taken("resnet18", [1, 2], ["2", "3"])
    assert transfer.labels == ("2",)
    assert torch.equal(own["fc.weight"][0], given["fc.weight"][1])


def test_unnamed_rows_are_taken_only_all_together() -> None:
    given = weights(built("resnet18", 3, seed=1), None)
    same, other = built("resnet18", 3), built("resnet18", 4)
    assert take_over(same, given, ["a", "b", "c"]).fresh == ()
    assert take_over(other, given, ["a", "b", "c", "d"]).fresh == ("fc.weight", "fc.bias")


def test_rows_of_a_mask_detector_follow_their_labels() -> None:
    own, given, transfer = taken("maskrcnn_resnet18_fpn", ["can", "carton"], ["carton", "tin", "can"])
    scores, boxes = "roi_heads.box_predictor.cls_score.weight", "roi_heads.box_predictor.bbox_pred.bias"
    masks = "roi_heads.mask_predictor.mask_fcn_logits.weight"
    for name in (scores, masks):
        assert torch.equal(own[name][0], given[name][0])  # the background
        assert torch.equal(own[name][1], given[name][2]) and torch.equal(own[name][3], given[name][1])
    assert torch.equal(own[boxes].view(4, 4)[3], given[boxes].view(3, 4)[1])
    assert not torch.equal(own[scores][2], given[scores][1])
    assert transfer.labels == ("carton", "can")


def test_rows_of_retinanet_follow_their_labels_for_each_anchor() -> None:
    own, given, _ = taken("retinanet_resnet50_fpn", ["can", "carton"], ["carton", "tin", "can"])
    name = "head.classification_head.cls_logits.weight"
    new, old = own[name].view(9, 3, -1), given[name].view(9, 2, -1)
    assert torch.equal(new[:, 0], old[:, 1]) and torch.equal(new[:, 2], old[:, 0])
    assert not torch.equal(new[:, 1], old[:, 1])


def test_rows_of_yolov5_follow_their_labels_for_each_anchor() -> None:
    given, network = seeded_yolov5(THIN, 2, seed=1), seeded_yolov5(THIN, 3, seed=2)
    transfer = take_over(network, weights(given, ["can", "carton"]), ["carton", "tin", "can"])
    name = next(each for each in transfer.taken if each.endswith("m.0.weight"))
    new, old = network.state_dict()[name].view(3, 8, -1), given.state_dict()[name].view(3, 7, -1)
    assert torch.equal(new[:, :5], old[:, :5])  # box and objectness
    assert torch.equal(new[:, 5], old[:, 6]) and torch.equal(new[:, 7], old[:, 5])
    assert transfer.labels == ("carton", "can")


def test_a_detector_takes_a_classifier_as_its_body_and_back() -> None:
    classifier, detector = built("resnet18", 1000, seed=1), built("fasterrcnn_resnet18_fpn", 2, seed=2)
    transfer = take_over(detector, weights(classifier, None), ["a", "b"], architecture("fasterrcnn_resnet18_fpn").adapt)
    name = "layer4.1.conv2.weight"
    assert torch.equal(detector.state_dict()[f"backbone.body.{name}"], classifier.state_dict()[name])
    assert all(each.startswith("backbone.body.") for each in transfer.taken)
    assert "rpn.head.conv.0.0.weight" in transfer.fresh
    back = built("resnet18", 2)
    assert take_over(back, weights(detector, ["a", "b"]), ["a", "b"]).fresh == ("fc.weight", "fc.bias")
    assert torch.equal(back.state_dict()[name], classifier.state_dict()[name])


def test_a_mask_detector_takes_a_box_detector_over() -> None:
    boxes, masks = built("fasterrcnn_resnet18_fpn", 2, seed=1), built("maskrcnn_resnet18_fpn", 2, seed=2)
    transfer = take_over(masks, weights(boxes, ["a", "b"]), ["a", "b"], architecture("maskrcnn_resnet18_fpn").adapt)
    assert {name.split(".")[1] for name in transfer.fresh} == {"mask_head", "mask_predictor"}


def test_a_position_embedding_of_another_size_is_resized() -> None:
    own, given, transfer = taken("vits16r224", None, ["a", "b"], valid_crop_size=64, valid_resize_size=64)
    assert own["pos_embed"].shape != given["pos_embed"].shape
    assert "pos_embed" in transfer.taken
    assert torch.allclose(own["pos_embed"][:, :1], given["pos_embed"][:, :1])


def test_a_folder_of_transformers_is_its_own_weights(tmp_path: Path) -> None:
    folder = str(save(tmp_path / "vit", "ViTForImageClassification"))
    found, given = trained_architecture(folder), find_weights(None, folder)
    assert given is not None and given.labels is not None
    network = found.build(len(given.labels), found.settings())
    assert take_over(network, given, given.labels).fresh == ()


def test_halves_become_floats_and_the_file_is_left() -> None:
    given = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state(1).items()}
    network = built("resnet18", 2)
    take_over(network, StartingWeights(given, "weights.pth", "0" * 64), ["a", "b"])
    found = network.state_dict()["conv1.weight"]
    assert found.dtype == torch.float32
    assert torch.equal(found, given["conv1.weight"].float())


def state(seed: int) -> dict[str, Tensor]:
    return dict(built("resnet18", 2, seed).state_dict())


@pytest.mark.parametrize("other", ["resnet34", "mobilenetv2"])
def test_weights_of_another_network_are_refused_and_nothing_is_changed(other: str) -> None:
    network = built(other, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(TrainingError, match=r"weights\.pth do not fit this network: \d+ of \d+ tensors") as caught:
        take_over(network, weights(built("resnet18", 2), ["a", "b"]), ["a", "b"])
    assert "are missing" in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_what_was_taken_is_said() -> None:
    _, _, transfer = taken("resnet18", ["can", "tin"], ["can", "carton"])
    said = transfer.sentence(StartingWeights({}, "weights.pth", "ab" * 32))
    assert said == f"starts from weights.pth (sha256 {'ab' * 32}): 102 of 102 tensors, the head for can"
