from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

from models.architecture.catalog import classifier_architecture
from models.assembly import assemble
from models.definition import Definition
from models.errors import ModelError
from models.folder.registration import register
from models.folder.timm_config import sizes_of, statistics_of, timm_config
from models.images.decoding import ImageLimits
from models.images.preprocess import Preprocess, Statistics
from models.loaded import load_classifier
from models.predictions import ClassScores
from tests.support.folders.checkpoints import TIMM_TRAINED, seeded_network, write_json, write_timm_folder
from tests.support.images import encoded, painted


def definition_of(path: Path) -> Definition:
    return assemble(path)[0]


def test_architecture_labels_sizes_and_statistics_are_read(tmp_path: Path) -> None:
    found = definition_of(write_timm_folder(tmp_path / "model"))
    assert (found.architecture.name, found.labels, found.task.name) == ("timm/resnet10t", ("a", "b", "c"), "multiclass")
    assert found.preprocess == Preprocess(71, 64, Statistics((0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bicubic"))
    assert found.settings.sources["valid_crop_size"] == "model default"


def test_scores_equal_those_of_timm_with_its_own_transform(tmp_path: Path) -> None:
    model = load_classifier(write_timm_folder(tmp_path / "model"))
    network = seeded_network("timm/resnet10t", 3, 64)
    transform = create_transform(**resolve_data_config(TIMM_TRAINED, pretrained_cfg={}))
    for seed in range(3):
        pixels = painted(seed, 150, 110)
        (found,) = model.outputs([model.crop(encoded(pixels, "PNG"), ImageLimits(10**7, 10**7))])
        with torch.no_grad():
            expected = network(transform(Image.fromarray(pixels))[None])[0]
        scores = model.prediction(found)
        assert isinstance(scores, ClassScores)
        assert scores.probs == pytest.approx(expected.softmax(0).tolist(), abs=1e-5)


def test_settings_json_still_decides_the_sizes(tmp_path: Path) -> None:
    folder = write_timm_folder(tmp_path / "model")
    write_json(folder / "settings.json", {"valid_crop_size": 96})
    assert (definition_of(folder).preprocess.resize, definition_of(folder).preprocess.crop) == (71, 96)


def test_a_manifest_names_the_labels_and_keeps_the_statistics(tmp_path: Path) -> None:
    manifest = {"architecture": "timm/resnet10t", "labels": ["x", "y", "z"], "task": "multilabel"}
    found = definition_of(write_timm_folder(tmp_path / "model", manifest=manifest))
    assert (found.labels, found.task.name) == (("x", "y", "z"), "multilabel")
    assert found.preprocess.statistics.mean == (0.5, 0.4, 0.3)


def test_registering_keeps_the_statistics(tmp_path: Path) -> None:
    registered = register(write_timm_folder(tmp_path / "model"), tmp_path / "root", "small")
    assert definition_of(registered.path).preprocess == definition_of(tmp_path / "model").preprocess


def test_without_labels_classes_are_numbered() -> None:
    assert timm_config({"architecture": "resnet10t", "num_classes": 3}).labels == ("0", "1", "2")


@pytest.mark.parametrize(
    "content",
    [{}, {"architecture": "resnet10t"}, {"num_classes": 3}, {"architecture": 5, "num_classes": 3}, {"library": "x"}],
    ids=["empty", "no classes", "no architecture", "number for a name", "of another library"],
)
def test_a_config_of_something_else_asks_for_a_manifest(tmp_path: Path, content: dict[str, Any]) -> None:
    folder = write_timm_folder(tmp_path / "model", content)
    with pytest.raises(ModelError, match=r"holds weights only\. Put a manifest\.json"):
        definition_of(folder)


def test_a_config_that_is_no_json_is_named(tmp_path: Path) -> None:
    folder = write_timm_folder(tmp_path / "model")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json is not valid JSON"):
        definition_of(folder)


@pytest.mark.parametrize("height", [1, 40, 100])
def test_squash_gives_up_the_aspect_ratio_like_timm(height: int) -> None:
    image = Image.fromarray(painted(5, 70, height))
    statistics = statistics_of(TIMM_TRAINED | {"crop_mode": "squash", "interpolation": "bilinear"})
    transform = create_transform((3, 64, 64), crop_pct=0.9, crop_mode="squash", interpolation="bilinear")
    expected = transform.transforms[1](transform.transforms[0](image))
    assert np.array_equal(Preprocess(71, 64, statistics).cropped(image).numpy(), np.asarray(expected))


def test_ways_to_prepare_images_that_are_not_known_are_refused() -> None:
    with pytest.raises(ModelError, match="crop mode 'border'"):
        statistics_of(TIMM_TRAINED | {"crop_mode": "border"})
    with pytest.raises(ModelError, match="filter 'random'"):
        statistics_of(TIMM_TRAINED | {"interpolation": "random"})
    with pytest.raises(ModelError, match="64x32 pixels; only square"):
        sizes_of(TIMM_TRAINED | {"input_size": [3, 32, 64]})


def test_what_timm_knows_of_its_networks_is_taken_over() -> None:
    for name in ("resnet10t", "convnext_tiny", "vit_small_patch16_224"):
        trained = timm.get_pretrained_cfg(name)
        assert trained is not None
        found = classifier_architecture(f"timm/{name}")
        assert found.statistics.mean == trained.mean
        assert found.statistics.interpolation == trained.interpolation
        assert found.defaults["valid_crop_size"] == trained.input_size[-1]
