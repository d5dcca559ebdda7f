"""The image processor that is built from content that was read, beside the one that the library itself loads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from models.assembly import assemble
from models.errors import ModelError
from models.huggingface.library_processor import library_processor
from tests.support.folders.checkpoints import write_json
from tests.support.folders.transformers_folders import ALL, save

Content = dict[str, Any]


def named(content: Content, kind: str) -> Content:
    bare = content["image_processor_type"].partition("ImageProcessor")[0]
    others = {key: value for key, value in content.items() if key != "image_processor_type"}
    return others | {"feature_extractor_type" if kind == "FeatureExtractor" else "image_processor_type": bare + kind}


FORMS: dict[str, Callable[[Content], Content]] = {
    "as saved": lambda content: content,
    "of any backend": lambda content: named(content, "ImageProcessor"),
    "fast": lambda content: named(content, "ImageProcessorFast"),
    "older": lambda content: named(content, "FeatureExtractor"),
    "by the network": lambda content: {key: content[key] for key in content if key != "image_processor_type"},
}
UNNAMED = ("RTDetrV2ForObjectDetection", "DFineForObjectDetection")  # their configurations have no processor


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ALL)
def test_it_is_the_one_that_the_library_chooses(tmp_path: Path, name: str, form: str) -> None:
    usual, kind, prepared = ALL[name]
    config = getattr(transformers, name).config_class(**usual)
    config.save_pretrained(tmp_path)
    getattr(transformers, f"{kind}ImageProcessorPil")(**prepared).save_pretrained(tmp_path)
    file = tmp_path / "preprocessor_config.json"
    content = FORMS[form](json.loads(file.read_text()))
    write_json(file, content)
    if form == "by the network" and name in UNNAMED:
        with pytest.raises(ValueError, match="Unrecognized image processor"):
            transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
        with pytest.raises(ModelError, match="describes no image processor"):
            library_processor(content, config)
        return
    expected = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    found = library_processor(content, config)
    assert type(found) is type(expected)
    assert found.to_dict() == expected.to_dict()


@pytest.mark.parametrize("name", ["NoSuchImageProcessor", "ViTModel", "AutoImageProcessor", "../evil", "logging"])
def test_a_name_of_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="describes no image processor"):
        library_processor({"image_processor_type": name}, transformers.ViTConfig())


def test_a_network_without_a_processor_is_refused() -> None:
    with pytest.raises(ModelError, match="has none for a BertConfig"):
        library_processor({}, transformers.BertConfig())


def test_a_processor_within_another_file_wins_as_in_the_library(tmp_path: Path) -> None:
    save(tmp_path, "ViTForImageClassification")
    content = json.loads((tmp_path / "preprocessor_config.json").read_text())
    write_json(tmp_path / "processor_config.json", {"image_processor": content | {"resample": 3}})
    assert transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil").resample == 3
    architecture: Any = assemble(tmp_path)[0].architecture
    assert architecture.statistics.interpolation == "bicubic"
    write_json(tmp_path / "processor_config.json", {"processor_class": "X"})
    architecture = assemble(tmp_path)[0].architecture
    assert architecture.statistics.interpolation == "bilinear"
