import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import transforms

from models.architecture.catalog import architecture, architecture_names, classifier_architecture
from models.classifier import Classifier
from models.errors import ModelError
from models.images.decoding import ImageLimits
from models.loaded import load_classifier
from tests.support.contract import contract
from tests.support.folders.checkpoints import (
    LABELS,
    Sizes,
    seeded_network,
    write_automl_folder,
    write_json,
    write_plain_folder,
)
from tests.support.images import encoded, painted

LIMITS = ImageLimits(10**7, 10**7)
SMALL = (80, 64)
IMAGES = [encoded(painted(20 + width, width, height), "PNG") for width, height in [(333, 250), (90, 200), (60, 50)]]


@dataclass(frozen=True)
class Facts:
    """What is known of real checkpoints: how many tensors, the name of the head; and the sizes to test with."""

    tensors: int
    head: str
    sizes: Sizes = SMALL


FACTS = {
    "resnet18": Facts(122, "fc", (256, 224)),
    "resnet34": Facts(218, "fc"),
    "resnet50": Facts(320, "fc"),
    "resnet101": Facts(626, "fc"),
    "resnet152": Facts(932, "fc"),
    "mobilenetv2": Facts(314, "classifier.1", (256, 224)),
    "seresnext": Facts(384, "last_linear", (256, 224)),
    "resnest50": Facts(476, "fc"),
    "resnest101": Facts(935, "fc"),
    "vits16r224": Facts(152, "head", (256, 224)),
    "vitb16r224": Facts(152, "head"),
    "vitl16r224": Facts(296, "head"),
}


@dataclass(frozen=True)
class Served:
    """A loaded model beside the network that its checkpoint was made of."""

    name: str
    origin: nn.Module
    state: dict[str, Tensor]
    model: Classifier


@pytest.fixture(scope="module", params=FACTS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    name: str = request.param
    sizes = FACTS[name].sizes
    origin = seeded_network(name, len(LABELS), sizes[1] if name.startswith("vit") else 64)
    state: dict[str, Tensor] = origin.state_dict()
    if name == "vitl16r224":  # 1.2 GB; half of it are enough to write and to read
        state = {key: tensor.half() for key, tensor in state.items()}
        origin.load_state_dict(state)
    folder = write_automl_folder(tmp_path_factory.mktemp(name), "bare", name=name, sizes=sizes, state=state)
    yield Served(name, origin, state, load_classifier(folder))
    (folder / "model.pt").unlink()  # pytest keeps folders for a while


def torchvisions(data: bytes, sizes: Sizes) -> Tensor:
    steps = transforms.Compose(
        [
            transforms.Resize(sizes[0]),
            transforms.CenterCrop(sizes[1]),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    inputs: Tensor = steps(Image.open(BytesIO(data)).convert("RGB"))
    return inputs


def independent(origin: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    with torch.inference_mode():
        probabilities: Tensor = origin(torch.stack(list(inputs))).softmax(dim=1)
    return probabilities


def scores(model: Classifier) -> Tensor:
    outputs = model.outputs([model.crop(data, LIMITS) for data in IMAGES])
    return torch.tensor([model.prediction(output).probs for output in outputs])


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert torch.allclose(found, expected, rtol=0, atol=1e-5), (found - expected).abs().max()
    # equal scores for all images would prove nothing
    assert (expected[0] - expected[1]).abs().max() > 0.05


@contract(
    "Images and boxes",
    "Twelve architectures of classification give the probabilities of the libraries that trained them",
)
def test_probabilities_are_those_of_torchvision_or_timm(served: Served) -> None:
    sizes = FACTS[served.name].sizes
    expected = independent(served.origin, [torchvisions(data, sizes) for data in IMAGES])
    assert_same(scores(served.model), expected)


def test_a_batch_of_one_scores_as_in_a_batch_of_three(served: Served) -> None:
    images = [served.model.crop(data, LIMITS) for data in IMAGES]
    together = torch.stack(served.model.outputs(images))
    alone = torch.cat([torch.stack(served.model.outputs([each])) for each in images])
    # other batch sizes choose other kernels, which add up in another order
    assert torch.allclose(alone, together, rtol=0, atol=1e-4)


def test_names_of_tensors_are_those_of_real_checkpoints(served: Served) -> None:
    facts = FACTS[served.name]
    assert len(served.state) == facts.tensors
    assert served.model.network.state_dict().keys() == served.state.keys()
    assert served.state[f"{facts.head}.weight"].shape[0] == len(LABELS)
    assert f"{facts.head}.bias" in served.state


def test_the_cam_layer_gives_maps_or_a_square_of_tokens_that_the_score_depends_on(served: Served) -> None:
    network, crop = served.model.network, served.model.preprocess.crop
    layer = served.model.architecture.cam_layer(network)
    read: list[Tensor] = []

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        read.append(inputs[0] if layer.side == "input" else output)
        read[0].retain_grad()

    pixels = served.model.preprocess.inputs(torch.stack([served.model.crop(IMAGES[0], LIMITS)]))
    with network.get_submodule(layer.name).register_forward_hook(hook):
        network(pixels.requires_grad_()).max().backward()
    (activation,) = read
    assert activation.grad is not None
    if layer.prefix_tokens is None:
        _, channels, height, width = activation.shape
        assert channels >= 512
        assert height == width == math.ceil(crop / 32)
        parts = activation.grad.flatten(2).abs().sum(1)  # one for each place
    else:
        tokens = activation.shape[1] - layer.prefix_tokens
        assert activation.dim() == 3
        assert tokens == (crop // 16) ** 2
        parts = activation.grad[:, layer.prefix_tokens :].abs().sum(2)  # one for each patch
    assert (parts > 0).all()


@contract("Checkpoints and model folders", "All names of classification networks")
def test_all_names_of_real_checkpoints_are_known() -> None:
    assert set(FACTS) <= set(architecture_names())
    assert {"timm/*", "torchvision/*"} <= set(architecture_names())
    for name in FACTS:
        assert architecture(name).name == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ResNet-18", "Did you mean 'resnet18'"),
        ("vitb16r384", "Did you mean 'vitb16r224'"),
        ("fasterrcnn_resnet50", "Did you mean 'fasterrcnn_resnet50_fpn'"),
        ("", "'' is not known"),
        ("timm/resnet10x", "timm has no network 'resnet10x'. Did you mean 'resnet10"),
        ("timm/resnet10t.nonsense", "timm has no network 'resnet10t.nonsense'"),
        ("timm/", "timm has no network ''"),
        ("torchvision/mobilenetv2", "torchvision has no classification network 'mobilenetv2'. Did you mean 'mobilenet"),
        ("torchvision/fasterrcnn_resnet50_fpn", "no classification network 'fasterrcnn_resnet50_fpn'"),
    ],
    ids=lambda value: value.replace("/", "-") if " " not in value else "",
)
def test_an_unknown_name_is_refused_with_near_matches(name: str, words: str) -> None:
    with pytest.raises(ModelError) as caught:
        architecture(name)
    assert words in str(caught.value)


@contract("Images and boxes", "seresnext always takes 256 and 224 pixels")
def test_seresnext_ignores_configured_sizes(tmp_path: Path) -> None:
    origin = seeded_network("seresnext", len(LABELS), 64)
    settings = {"valid_resize_size": 100, "valid_crop_size": 90}
    folder = write_automl_folder(tmp_path, name="seresnext", settings=settings, sizes=SMALL, state=origin.state_dict())
    model = load_classifier(folder)
    assert (model.preprocess.resize, model.preprocess.crop) == (256, 224)
    sources = model.definition.settings.sources
    assert sources["valid_resize_size"] == sources["valid_crop_size"] == "architecture"
    assert ["always uses 256" in warning for warning in model.definition.settings.warnings] == [True, False]
    assert "'valid_crop_size' is 90" in model.definition.settings.warnings[1]


@contract("Images and boxes", "Transformers of another crop have their position embedding interpolated")
@pytest.mark.parametrize(("trained", "served_at"), [(64, 96), (96, 64), (64, 70)], ids=["larger", "smaller", "odd"])
def test_a_transformer_at_another_crop_has_its_position_embedding_interpolated(
    tmp_path: Path, trained: int, served_at: int
) -> None:
    state = seeded_network("vits16r224", len(LABELS), trained).state_dict()
    settings = {"valid_resize_size": 100, "valid_crop_size": served_at}
    folder = write_automl_folder(tmp_path, name="vits16r224", sizes=(100, trained), settings=settings, state=state)
    model = load_classifier(folder)

    first, patches = state["pos_embed"][:, :1], state["pos_embed"][0, 1:]
    before, after = trained // 16, served_at // 16
    grid = patches.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    if before != after:
        grid = F.interpolate(grid, size=(after, after), mode="bilinear")
    origin = timm.create_model("vit_small_patch16_224", num_classes=len(LABELS), img_size=served_at).eval()
    origin.load_state_dict(state | {"pos_embed": torch.cat([first, grid.flatten(2).transpose(1, 2)], dim=1)})
    expected = independent(origin, [torchvisions(data, (100, served_at)) for data in IMAGES])
    assert_same(scores(model), expected)


def test_a_transformer_needs_at_least_one_patch(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path, name="vits16r224", sizes=(20, 15), state={"head.bias": torch.zeros(4)})
    with pytest.raises(ModelError, match=r"valid_crop_size is 15, .*Set at least 16"):
        load_classifier(folder)


@pytest.mark.parametrize("tokens", [16, 14], ids=["without a class token", "no square"])
def test_a_position_embedding_of_another_form_is_named(tmp_path: Path, tokens: int) -> None:
    state = seeded_network("vits16r224", len(LABELS), 64).state_dict()
    state["pos_embed"] = state["pos_embed"][:, :tokens].clone()
    folder = write_automl_folder(tmp_path, name="vits16r224", sizes=SMALL, state=state)
    with pytest.raises(ModelError, match=rf"pos_embed is \[1, {tokens}, 384\], expected \[1, 17, 384\]"):
        load_classifier(folder)


@pytest.mark.parametrize("name", ["torchvision/mobilenet_v2", "torchvision/swin_t", "torchvision/mnasnet0_5"])
def test_networks_saved_with_torchvision(tmp_path: Path, name: str) -> None:
    origin = seeded_network(name, len(LABELS), SMALL[1])
    folder = write_plain_folder(tmp_path, architecture=name, sizes=SMALL, state=origin.state_dict())
    expected = independent(origin, [torchvisions(data, SMALL) for data in IMAGES])
    assert_same(scores(load_classifier(folder)), expected)


def trained_on(name: str) -> dict[str, Any]:
    """Ask timm for the sizes, the statistics and the filter of its own network."""
    config = timm.get_pretrained_cfg(name.removeprefix("timm/"))
    assert config is not None
    return dict(resolve_data_config(asdict(config)))


@pytest.mark.parametrize(
    "name",
    [
        "timm/resnet10t",
        "timm/mobilenetv3_small_050.lamb_in1k",
        "timm/test_vit",
        "timm/swin_tiny_patch4_window7_224",  # holds buffers that are not part of its state dict
    ],
)
def test_networks_saved_with_timm_see_what_timm_trained_them_on(tmp_path: Path, name: str) -> None:
    config = trained_on(name)
    origin = seeded_network(name, len(LABELS), config["input_size"][-1])
    model = load_classifier(write_plain_folder(tmp_path, architecture=name, settings={}, state=origin.state_dict()))
    steps: Any = create_transform(**config)
    inputs = [steps(Image.open(BytesIO(data)).convert("RGB")) for data in IMAGES]
    assert_same(scores(model), independent(origin, inputs))


def test_a_config_json_of_timm_describes_a_model(tmp_path: Path) -> None:
    state = seeded_network("timm/test_vit", len(LABELS), 160).state_dict()
    folder = write_plain_folder(tmp_path, architecture="timm/test_vit", settings={}, state=state)
    expected = scores(load_classifier(folder))
    (folder / "manifest.json").unlink()
    write_json(folder / "config.json", {"architecture": "test_vit", "num_classes": 4, "label_names": list(LABELS)})
    model = load_classifier(folder)
    assert model.definition.labels == LABELS
    assert_same(scores(model), expected)


def test_a_transformer_of_an_unknown_kind_has_no_cam_layer() -> None:
    with pytest.raises(ModelError, match="has no deep convolution, so Grad-CAM has no layer to read"):
        classifier_architecture("timm/test_vit").cam_layer(timm.create_model("test_vit"))


@pytest.mark.parametrize("variant", ["prefixed", "no counters", "half", "with a wrapper of compile"])
def test_variants_of_a_state_dict_score_alike(tmp_path: Path, variant: str) -> None:
    origin = seeded_network("resnet18", len(LABELS), 64)
    state: dict[str, Any] = origin.state_dict()
    if variant == "prefixed":
        state = {f"module.{key}": tensor for key, tensor in state.items()}
    elif variant == "no counters":
        state = {key: tensor for key, tensor in state.items() if "num_batches_tracked" not in key}
    elif variant == "half":
        state = {key: tensor.half() for key, tensor in state.items()}
        origin.load_state_dict(state)
    else:
        state = {f"_orig_mod.{key}": tensor for key, tensor in state.items()}
    model = load_classifier(write_automl_folder(tmp_path, sizes=SMALL, state=state))
    assert_same(scores(model), independent(origin, [torchvisions(data, SMALL) for data in IMAGES]))
