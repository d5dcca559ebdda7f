"""Classifiers of transformers against the library itself: their inputs, their scores, where Grad-CAM reads them."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from explain.network.executor import Executor
from explain.request.targets import fixed_targets
from explain.run import explain
from models.classifier import Classifier
from models.loaded import load_classifier
from models.predictions import ClassScores
from tests.support.explain_networks import difference, parameters_for
from tests.support.folders.checkpoints import LABELS
from tests.support.folders.transformers_folders import CLASSIFIERS, Reference, save
from tests.support.images import LIMITS, encoded, painted

# odd remainders on both axes, tall, and smaller than the input
IMAGES = [encoded(painted(seed, *size), "PNG") for seed, size in enumerate([(151, 97), (90, 207), (41, 30)])]


@dataclass(frozen=True)
class Served:
    """A loaded folder beside the library's own way to use it."""

    name: str
    folder: Path
    model: Classifier
    original: Reference


@pytest.fixture(scope="module", params=CLASSIFIERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = save(tmp_path_factory.mktemp("hf") / "model", request.param)
    yield Served(request.param, folder, load_classifier(folder), Reference(folder, request.param))


def inputs_of(model: Classifier, data: bytes) -> Tensor:
    return model.preprocess.inputs(torch.stack([model.crop(data, LIMITS)]))[0]


def test_images_and_scores_are_those_of_the_library(served: Served) -> None:
    model, scores = served.model, []
    for data in IMAGES:
        assert (inputs_of(model, data) - served.original.inputs(data)["pixel_values"][0]).abs().max() <= 1e-6
        (found,) = model.outputs([model.crop(data, LIMITS)])
        expected = served.original.outputs(data).logits[0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        scores.append(expected)
    assert (scores[0] - scores[1]).abs().max() > 0.1, "the network tells pictures apart"


def test_what_is_served_is_described(served: Served) -> None:
    definition = served.model.definition
    assert definition.architecture.name == f"transformers/{served.name}"
    assert (definition.labels, definition.task.name) == (LABELS, "multiclass")
    assert definition.settings.sources["valid_crop_size"] == "architecture"
    prediction = served.model.prediction(served.model.outputs([served.model.crop(IMAGES[0], LIMITS)])[0])
    assert prediction.probs == pytest.approx(served.original.outputs(IMAGES[0]).logits[0].softmax(0).tolist(), abs=1e-5)


def test_a_batch_scores_as_each_image_alone(served: Served) -> None:
    inputs = [served.model.crop(data, LIMITS) for data in IMAGES]
    for one, found in zip(inputs, served.model.outputs(inputs), strict=True):
        torch.testing.assert_close(found, served.model.outputs([one])[0], atol=1e-5, rtol=1e-5)


def test_any_network_built_anew_has_the_same_tensors(served: Served) -> None:
    fresh = served.model.architecture.build(len(LABELS), served.model.definition.settings.values)
    shapes = {name: tensor.shape for name, tensor in fresh.state_dict().items()}
    assert shapes == {name: tensor.shape for name, tensor in served.model.network.state_dict().items()}


def test_gradcam_reads_maps_or_a_square_of_tokens_that_the_score_depends_on(served: Served) -> None:
    layer = served.model.architecture.cam_layer(served.model.network)
    read: list[Tensor] = []

    def hook(module: torch.nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        read.append(inputs[0] if layer.side == "input" else output)
        read[0].retain_grad()

    with served.model.network.get_submodule(layer.name).register_forward_hook(hook):
        served.model.network(inputs_of(served.model, IMAGES[0])[None].requires_grad_()).max().backward()
    (activation,) = read
    assert activation.grad is not None
    if layer.prefix_tokens is None:
        assert activation.dim() == 4
        parts = activation.grad.flatten(2).abs().sum(1)  # one for each place
    else:
        tokens = activation.shape[1] - layer.prefix_tokens
        assert math.isqrt(tokens) ** 2 == tokens
        parts = activation.grad[:, layer.prefix_tokens :].abs().sum(2)  # one for each patch
    assert parts.shape[1] >= 16
    assert (parts > 0).all()


@pytest.mark.parametrize("algorithm", ["gradcam", "integrated_gradients", "guided_backprop", "xrai"])
def test_explanations_are_the_same_whatever_was_asked_before(served: Served, algorithm: str) -> None:
    view = served.model.crop(IMAGES[0], LIMITS)
    parameters = parameters_for(algorithm, n_steps=6)
    found = [
        explain(Executor.for_model(served.model), view, parameters, fixed_targets(1)).attributions[0] for _ in range(2)
    ]
    assert torch.equal(found[0].values, found[1].values)
    assert torch.isfinite(found[0].values).all()
    if algorithm == "integrated_gradients":
        assert found[0].values.abs().max() > 0
    if algorithm == "guided_backprop":
        relus = served.name == "ResNetForImageClassification"
        assert found[0].notes == (() if relus else ("This network has no ReLU to guide: these are plain gradients.",))


def test_gradients_are_those_of_the_library(served: Served) -> None:
    view = served.model.crop(IMAGES[0], LIMITS)
    found = explain(
        Executor.for_model(served.model), view, parameters_for("guided_backprop", guided_relu6=False), fixed_targets(2)
    )
    inputs = served.original.inputs(IMAGES[0])["pixel_values"].requires_grad_()
    served.original.network(pixel_values=inputs).logits[0, 2].backward()
    if found.attributions[0].notes:  # nothing was guided
        assert inputs.grad is not None
        torch.testing.assert_close(found.attributions[0].values, inputs.grad[0], atol=1e-5, rtol=1e-4)


def hooked_attention(served: Served, monkeypatch: pytest.MonkeyPatch, target: int) -> list[tuple[Tensor, Tensor]]:
    """The attention of all blocks in the library's own network, [N, heads, T, T], with its gradients."""
    network, softmax = copy.deepcopy(served.original.network), functional.softmax
    network.set_attn_implementation("eager")
    found: list[Tensor] = []

    def kept(*args: Any, **options: Any) -> Tensor:
        found.append(softmax(*args, **options))
        return found[-1]

    with monkeypatch.context() as patch:
        patch.setattr(functional, "softmax", kept)
        logits = network(pixel_values=served.original.inputs(IMAGES[0])["pixel_values"].requires_grad_()).logits
    return list(zip(found, torch.autograd.grad(logits[0, target], found), strict=True))


def attention_map(served: Served, target: int) -> Tensor:
    parameters = parameters_for("attention", interpolation="nearest")
    view = served.model.crop(IMAGES[0], LIMITS)
    return explain(Executor.for_model(served.model), view, parameters, fixed_targets(target)).attributions[0].values


# the tokens whose outputs the head reads
READ = {
    "ViTForImageClassification": slice(0, 1),
    "DeiTForImageClassification": slice(0, 1),
    "DeiTForImageClassificationWithTeacher": slice(0, 2),
    "BeitForImageClassification": slice(1, None),
    "Dinov2ForImageClassification": slice(0, None),
}


@pytest.mark.parametrize("served", READ, indirect=True)
def test_attention_is_followed_through_all_blocks(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    hooked = hooked_attention(served, monkeypatch, 2)
    relevance = torch.eye(hooked[0][0].shape[-1])
    for attention, gradient in hooked:
        relevance = relevance + (attention * gradient)[0].clamp(min=0).mean(0) @ relevance
    relevance -= torch.eye(len(relevance))
    prefix = 2 if "DeiT" in served.name else 1
    coarse = relevance[READ[served.name]].mean(0)[prefix:].detach()
    side = math.isqrt(len(coarse))
    found = functional.interpolate(attention_map(served, 2)[None, None], (side, side), mode="nearest")[0, 0]
    assert difference(found, coarse.reshape(side, side) * side**2) < 1e-4


@pytest.mark.parametrize("served", ["SwinForImageClassification", "Swinv2ForImageClassification"], indirect=True)
def test_windows_of_attention_are_laid_back_in_place(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = torch.zeros(64, 64)
    hooked = hooked_attention(served, monkeypatch, 1)
    # of 16 x 16 places, and of 8 x 8 in two blocks, the second of which shifts its windows by 2
    for (attention, gradient), side, shift in zip(hooked, (16, 8, 8), (0, 0, 2), strict=True):
        taken = (attention * gradient).clamp(min=0).mean(1).sum(1).detach()
        grid = torch.zeros(side, side)
        for window, tokens in enumerate(taken):
            top, left = (4 * number for number in divmod(window, side // 4))
            grid[top : top + 4, left : left + 4] = tokens.reshape(4, 4)
        grid = grid.roll((shift, shift), (0, 1))
        expected += side**2 * functional.interpolate(grid[None, None], (64, 64), mode="nearest")[0, 0]
    assert difference(attention_map(served, 1), expected / 3) < 1e-4


def test_several_labels_may_hold_where_the_network_was_trained_so(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "ViTForImageClassification", problem_type="multi_label_classification")
    model = load_classifier(folder)
    assert model.definition.task.name == "multilabel"
    (logits,) = model.outputs([model.crop(IMAGES[0], LIMITS)])
    scores = model.prediction(logits)
    assert isinstance(scores, ClassScores)
    assert scores.probs == pytest.approx(logits.sigmoid().tolist())


def test_one_label_alone_has_a_probability_of_its_own(tmp_path: Path) -> None:
    model = load_classifier(save(tmp_path / "m", "ViTForImageClassification", id2label={0: "spoilt"}))
    assert (model.definition.labels, model.definition.task.name) == (("spoilt",), "multilabel")


@pytest.mark.parametrize("orientation", [1, 6])
def test_images_are_turned_as_their_metadata_say(served: Served, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(BytesIO(IMAGES[0]))
    data = encoded(image, "PNG", exif=exif)
    assert (inputs_of(served.model, data) - served.original.inputs(data)["pixel_values"][0]).abs().max() <= 1e-6
    assert torch.equal(inputs_of(served.model, data), inputs_of(served.model, IMAGES[0])) == (orientation == 1)


def processors() -> list[Any]:
    resize = {"height": 48, "width": 48}
    return [
        pytest.param({"size": resize, "do_normalize": False}, id="in [0, 1]"),
        pytest.param({"size": resize, "do_rescale": False, "image_mean": [9, 8, 7], "image_std": [50] * 3}, id="bytes"),
        pytest.param(
            {"size": resize, "rescale_factor": 1 / 127.5, "image_mean": [1] * 3, "image_std": [1] * 3}, id="+-1"
        ),
        pytest.param({"size": 48, "resample": 1}, id="lanczos"),
    ]


@pytest.mark.parametrize("processor", processors())
def test_values_are_scaled_as_the_processor_says(tmp_path: Path, processor: dict[str, Any]) -> None:
    folder = save(tmp_path / "m", "ViTForImageClassification", processor=processor)
    model, library = load_classifier(folder), Reference(folder, "ViTForImageClassification")
    for data in IMAGES:
        torch.testing.assert_close(
            inputs_of(model, data), library.inputs(data)["pixel_values"][0], atol=1e-4, rtol=1e-6
        )
