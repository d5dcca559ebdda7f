"""Folders of transformers as they are found, registered, split, broken: what is served, and what is refused."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.__main__ import main
from models.assembly import assemble
from models.errors import ModelError
from models.folder.layout import locate
from models.folder.registry import look_up
from models.huggingface.processor_spec import ProcessorSpec
from models.images.preprocess import Statistics
from models.loaded import load, load_classifier
from settings.model import ClassificationSettings
from tests.support.folders.checkpoints import LABELS, write_json, write_mlmodel
from tests.support.folders.transformers_folders import Reference, save
from tests.support.images import LIMITS, encoded, painted

IMAGE = encoded(painted(3, 120, 90), "PNG")
VIT, DETR = "ViTForImageClassification", "DetrForObjectDetection"


def logits(folder: Path) -> list[float]:
    model = load_classifier(folder)
    return [float(value) for value in model.outputs([model.crop(IMAGE, LIMITS)])[0]]


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved folder. Read only."""
    return save(tmp_path_factory.mktemp("hf") / "vit", VIT)


@pytest.fixture
def copy(vit: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in vit.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def change(file: Path, **values: Any) -> None:
    content = json.loads(file.read_text()) | values
    write_json(file, {key: value for key, value in content.items() if value is not ...})


def test_weights_in_several_files_score_alike(vit: Path, tmp_path: Path) -> None:
    network = Reference(vit, VIT).network
    network.save_pretrained(tmp_path, max_shard_size="20KB")
    (tmp_path / "preprocessor_config.json").write_bytes((vit / "preprocessor_config.json").read_bytes())
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    assert locate(tmp_path).weights.name == "model.safetensors.index.json"
    assert logits(tmp_path) == pytest.approx(logits(vit), abs=1e-6)
    gone = min(tmp_path.glob("model-*.safetensors"))
    gone.unlink()
    with pytest.raises(
        ModelError, match=rf"{gone.name} is not there, although model\.safetensors\.index\.json lists it"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("flavors", "settings", "expected"),
    [
        ({"transformers": {}}, {}, "ranked"),
        ({"transformers": {}}, {"reply_format": "probs"}, "probs"),
        ({"python_function": {}}, {}, "probs"),
        ({"python_function": {}}, {"reply_format": "ranked"}, "ranked"),
    ],
)
def test_a_model_of_automl_has_the_hosted_reply_unless_it_is_set(
    vit: Path, tmp_path: Path, flavors: dict[str, Any], settings: dict[str, Any], expected: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(vit, home / "model")
    write_mlmodel(home, [{"type": "string"}], flavors=flavors)
    write_json(home / "model/settings.json", settings)
    values = load(home).definition.settings.values
    assert isinstance(values, ClassificationSettings)
    assert values.reply_format == expected


@pytest.mark.parametrize(
    ("model", "processor"),
    [
        ("data/model", "data/tokenizer"),
        ("mlflow-model/data/model", "mlflow-model/data/tokenizer"),
        ("model", "components/image_processor"),
        ("mlflow-model/model", "mlflow-model/components/feature_extractor"),
    ],
)
def test_the_layouts_of_automl_and_mlflow(vit: Path, tmp_path: Path, model: str, processor: str) -> None:
    home = tmp_path / "home"
    for file in vit.iterdir():
        place = home / (processor if file.name == "preprocessor_config.json" else model)
        place.mkdir(parents=True, exist_ok=True)
        (place / file.name).write_bytes(file.read_bytes())
    (home / "MLmodel").write_text("flavors: {}")
    assert logits(home) == logits(vit)
    root = tmp_path / "root"
    assert main(["register", str(home), "--name", "small", "--model-root", str(root)]) == 0
    assert main(["check", "--model-root", str(root)]) == 0


@pytest.mark.parametrize("content", [{}, {"weight_map": {}}, {"weight_map": ["a"]}, {"weight_map": {"a": 1}}])
def test_an_index_that_lists_nothing_is_refused(copy: Path, content: dict[str, Any]) -> None:
    (copy / "model.safetensors").unlink()
    write_json(copy / "model.safetensors.index.json", content)
    with pytest.raises(ModelError, match=r"index\.json lists no files of weights"):
        load(copy)


def test_an_index_reaches_no_file_outside(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy.parent / "elsewhere.safetensors")
    write_json(copy / "model.safetensors.index.json", {"weight_map": {"a": "../elsewhere.safetensors"}})
    with pytest.raises(ModelError, match=r"model/elsewhere\.safetensors is not there"):
        load(copy)


def test_weights_as_the_library_saved_them_before(vit: Path, copy: Path) -> None:
    """A pickle of tensors beside the pickles of training, which are never opened."""
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    (copy / "training_args.bin").write_bytes(pickle.dumps(object()))
    assert locate(copy).weights.name == "pytorch_model.bin"
    assert logits(copy) == pytest.approx(logits(vit), abs=1e-6)


def test_a_pickle_of_anything_else_is_refused(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    torch.save({"vit.embeddings.cls_token": Path("x")}, copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="refused because loading it could run code"):
        load(copy)


def test_tensors_of_a_smaller_type_are_served_in_float32(vit: Path, copy: Path) -> None:
    state = {name: tensor.half() for name, tensor in load_file(copy / "model.safetensors").items()}
    save_file(state, copy / "model.safetensors")
    change(copy / "config.json", dtype="float16")
    assert {tensor.dtype for tensor in load(copy).network.state_dict().values()} == {torch.float32}
    assert logits(copy) == pytest.approx(logits(vit), abs=0.02)


def test_a_file_that_is_overwritten_while_it_is_served_changes_nothing(copy: Path) -> None:
    model = load_classifier(copy)
    before = model.outputs([model.crop(IMAGE, LIMITS)])[0].clone()
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-2000, 2)
        file.write(b"\x7f" * 2000)
    assert torch.equal(model.outputs([model.crop(IMAGE, LIMITS)])[0], before)


@pytest.mark.parametrize("name", [VIT, DETR])
def test_a_registered_folder_is_served_and_checked(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, root = save(tmp_path / "saved", name), tmp_path / "root"
    assert main(["register", str(folder), "--name", "small", "--model-root", str(root)]) == 0
    assert main(["list", "--model-root", str(root)]) == 0
    assert f"transformers/{name}  4 labels" in capsys.readouterr().out
    assert main(["check", "--model-root", str(root)]) == 0
    registered = look_up(root, "small")
    assert (registered.manifest.labels, registered.manifest.architecture) == (list(LABELS), f"transformers/{name}")
    assert assemble(registered.path)[0].labels == LABELS
    change(registered.path / "preprocessor_config.json", resample=3)
    assert main(["check", "--model-root", str(root)]) == 3
    assert "preprocessor_config.json missing, added or changed" in capsys.readouterr().err


def test_a_file_of_weights_is_registered_with_its_companions(vit: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    file = vit / "model.safetensors"
    assert main(["register", str(file), "--name", "small", "--model-root", str(root)]) == 0
    assert logits(look_up(root, "small").path) == logits(vit)


def test_a_manifest_may_name_the_labels_otherwise(copy: Path) -> None:
    manifest = {"architecture": f"transformers/{VIT}", "labels": ["a", "b", "c", "d"], "task": "multilabel"}
    write_json(copy / "manifest.json", manifest)
    found = load(copy).definition
    assert (found.labels, found.task.name) == (("a", "b", "c", "d"), "multilabel")


def test_a_setting_of_sizes_is_overruled_with_a_warning(copy: Path) -> None:
    write_json(copy / "settings.json", {"valid_crop_size": 64})
    settings = load(copy).definition.settings
    assert settings.values.valid_crop_size == 48  # type: ignore[attr-defined]
    assert "'valid_crop_size' is 64, but this architecture always uses 48" in settings.warnings[0]


def test_a_detector_takes_thresholds_from_settings_json(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", DETR)
    write_json(folder / "settings.json", {"box_score_thresh": 0.7, "nms_iou_thresh": 0.6})
    values: Any = load(folder).definition.settings.values
    assert (values.box_score_thresh, values.nms_iou_thresh, values.box_detections_per_img) == (0.7, 0.6, 100)


def test_as_many_answers_as_queries_unless_settings_say_otherwise(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "RTDetrForObjectDetection")
    assert assemble(folder)[0].settings.values.box_detections_per_img == 10  # type: ignore[attr-defined]
    write_json(folder / "settings.json", {"box_detections_per_img": 5})
    assert assemble(folder)[0].settings.values.box_detections_per_img == 5  # type: ignore[attr-defined]


CONFIG: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "vitt"}, r"knows no model_type 'vitt'\. Did you mean 'vit'"),
    ({"architectures": ...}, r"'architectures' is None; expected the name of one network"),
    ({"architectures": []}, r"'architectures' is \[\]"),
    ({"architectures": ["NoSuchForImageClassification"]}, r"has no network 'NoSuchForImageClassification'"),
    ({"architectures": ["AutoModelForImageClassification"]}, r"has no network 'AutoModelForImageClassification'"),
    (
        {"architectures": ["BeitForImageClassification"]},
        r"BeitForImageClassification is no network of the model_type 'vit'",
    ),
    ({"architectures": ["ViTModel"]}, r"The architecture 'transformers/ViTModel' is not known"),
    ({"hidden_size": "wide"}, r"config\.json does not describe a vit"),
    ({"hidden_act": "loud"}, r"transformers cannot build ViTForImageClassification"),
    ({"num_hidden_layers": 4}, r"do not fit the architecture: \d+ missing \(vit\.layers\.3"),
    ({"id2label": {"0": "a", "1": "b", "2": "c"}}, r"classifier\.weight is \[4, 32\], expected \[3, 32\]"),
    (
        {"id2label": {"1": "a", "2": "b", "3": "c", "4": "d"}},
        r"'id2label' names the classes \[1, 2, 3, 4\]; expected each",
    ),
    ({"problem_type": "regression"}, r"was trained for a regression"),
    ({"quantization_config": {"quant_method": "bitsandbytes"}}, r"the weights are quantized, which is not supported"),
    ({"image_size": 40}, r"position_embeddings is \[1, 37, 32\], expected \[1, 26, 32\]"),
]


@pytest.mark.parametrize(
    ("values", "words"), CONFIG, ids=lambda value: str(value)[:40] if isinstance(value, dict) else ""
)
def test_a_configuration_that_does_not_fit_is_named(copy: Path, values: dict[str, Any], words: str) -> None:
    change(copy / "config.json", **values)
    with pytest.raises(ModelError, match=words) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


PROCESSOR: list[tuple[dict[str, Any], str]] = [
    ({"image_processor_type": "NoSuchImageProcessor"}, r"describes no image processor"),
    ({"size": {"shortest_edge": 48}}, r"make pictures that are not all squares of one size"),
    ({"size": {"height": 48, "width": 64}}, r"make pictures that are not all squares of one size"),
    ({"size": {"height": 64, "width": 64}}, r"cannot score a picture of 64x64 pixels.*preprocessor_config\.json"),
    ({"size": {"longest_edge": 48}}, r"size \{'longest_edge': 48\}; expected true, and height and width"),
    ({"do_resize": False}, r"do_resize is False"),
    ({"resample": 0}, r"resample is 0; supported are 1 \(lanczos\)"),
    ({"image_mean": [0.5], "image_std": [0.5]}, r"expected a number for each of three channels"),
    (
        {"image_processor_type": "MobileViTImageProcessor", "crop_size": 48},
        r"a MobileViTImageProcessor with these values",
    ),
    ({"size": "large"}, r"describes no image processor: .*large"),
]


@pytest.mark.parametrize(
    ("values", "words"), PROCESSOR, ids=lambda value: str(value)[:40] if isinstance(value, dict) else ""
)
def test_a_processor_that_is_not_supported_is_named(copy: Path, values: dict[str, Any], words: str) -> None:
    change(copy / "preprocessor_config.json", **values)
    with pytest.raises(ModelError, match=words) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_a_pad_that_holds_no_image_is_refused(tmp_path: Path) -> None:
    sizes = {"size": {"shortest_edge": 60, "longest_edge": 90}, "pad_size": {"height": 90, "width": 64}}
    with pytest.raises(ModelError, match=r"pad_size is 64x90, but pictures of size .* may be larger"):
        load(save(tmp_path / "m", DETR, processor=sizes))


def test_a_detector_of_another_family_is_refused(copy: Path) -> None:
    change(copy / "config.json", model_type="lw_detr", architectures=["LwDetrForObjectDetection"])
    with pytest.raises(ModelError, match=r"not supported\. Of detectors those of detr, .*deformable_detr"):
        load(copy)


def test_without_a_processor_nothing_is_guessed(copy: Path) -> None:
    (copy / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"holds no preprocessor_config\.json, so how pictures are prepared"):
        load(copy)


def test_a_manifest_alone_does_not_describe_a_network(copy: Path) -> None:
    write_json(copy / "manifest.json", {"architecture": f"transformers/{VIT}", "labels": list(LABELS)})
    (copy / "config.json").unlink()
    with pytest.raises(ModelError, match=r"is built as a config\.json of transformers describes it, and none lies"):
        load(copy)


@pytest.mark.parametrize(
    "manifest",
    [
        {"architecture": f"transformers/{VIT}", "labels": ["a", "b"]},
        {"architecture": "transformers/BeitForImageClassification", "labels": list(LABELS)},
    ],
    ids=["labels", "network"],
)
def test_a_manifest_that_contradicts_the_configuration_is_refused(copy: Path, manifest: dict[str, Any]) -> None:
    write_json(copy / "manifest.json", manifest)
    with pytest.raises(ModelError, match=r"with 4\. Both must agree"):
        load(copy)


def test_tensors_without_a_place_are_logged_and_left_out(
    vit: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = load_file(copy / "model.safetensors")
    save_file(state | {"decoder.weight": torch.zeros(2)}, copy / "model.safetensors")
    assert logits(copy) == logits(vit)
    assert "1 tensors have no place in ViTForImageClassification and are not used: decoder.weight" in caplog.text


EVIL = "import pathlib\npathlib.Path({!r}).touch()\nclass Evil: ...\n"


@pytest.mark.parametrize(
    ("file", "auto_map"),
    [
        ("config.json", {"AutoConfig": "evil.Evil", "AutoModelForImageClassification": "evil.Evil"}),
        ("preprocessor_config.json", {"AutoImageProcessor": "evil.Evil"}),
    ],
)
@pytest.mark.parametrize("renamed", [False, True], ids=["known to the library", "only there"])
def test_code_in_a_folder_never_runs(copy: Path, file: str, auto_map: dict[str, str], renamed: bool) -> None:
    ran = copy / "ran"
    (copy / "evil.py").write_text(EVIL.format(str(ran)))
    (copy / "configuration_evil.py").write_text(EVIL.format(str(ran)))
    change(copy / file, auto_map=auto_map)
    if renamed:
        change(copy / file, **{"model_type" if file == "config.json" else "image_processor_type": "Evil"})
    try:
        load(copy)
    except ModelError:
        assert renamed or file != "config.json"
    assert not ran.exists()


def test_attention_of_others_is_not_fetched(vit: Path, copy: Path) -> None:
    change(copy / "config.json", _attn_implementation="kernels-community/flash-attn", fusion_config={"x": True})
    assert logits(copy) == logits(vit)


def test_without_the_library_its_name_is_said(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent: Callable[[str], None] = lambda name: None  # noqa: E731 - what find_spec returns
    monkeypatch.setattr("models.huggingface.importing.find_spec", absent)
    with pytest.raises(ModelError, match="saved by transformers, which is not installed: pip install 'transformers"):
        load(vit)


EDGES = [(800, 1333), (480, 640), (60, 90), (224, 448)]


@pytest.mark.parametrize(("shortest", "longest"), EDGES)
def test_sizes_are_those_of_the_library(shortest: int, longest: int) -> None:
    from transformers.image_transforms import get_size_with_aspect_ratio

    spec = ProcessorSpec({"shortest_edge": shortest, "longest_edge": longest}, Statistics())
    for height in range(1, 1600, 37):
        for width in range(1, 1600, 41):
            expected = get_size_with_aspect_ratio((height, width), shortest, longest)
            assert spec.resized(height, width) == tuple(max(1, side) for side in expected)


def test_images_fit_into_a_box_as_in_the_library() -> None:
    from transformers.image_utils import get_image_size_for_max_height_width

    spec = ProcessorSpec({"max_height": 480, "max_width": 333}, Statistics())
    for height in range(1, 1600, 37):
        for width in range(1, 1600, 41):
            expected = get_image_size_for_max_height_width((height, width), 480, 333)
            assert spec.resized(height, width) == tuple(max(1, side) for side in expected)
