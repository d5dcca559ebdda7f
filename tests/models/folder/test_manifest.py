import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelError
from models.folder.manifest import Manifest, read_manifest
from tests.support.folders.checkpoints import write_json

WHOLE: dict[str, Any] = {
    "architecture": "torchvision/resnet18",
    "labels": ["can", "carton"],
    "task": "multilabel",
    "name": "fridge",
    "version": 3,
    "created": "2030-01-01T00:00:00+00:00",
    "sizes": {"resize": 256, "crop": 224},
    "origin": {"run": "fridge", "started_from": "random weights"},
    "files": {"model.safetensors": "00ff"},
}


def test_every_key_is_read(tmp_path: Path) -> None:
    found = read_manifest(write_json(tmp_path / "manifest.json", WHOLE))
    assert found.model_dump() == WHOLE


def test_architecture_and_labels_are_enough(tmp_path: Path) -> None:
    found = read_manifest(write_json(tmp_path / "manifest.json", {"architecture": "resnet50", "labels": ["can"]}))
    assert found == Manifest(architecture="resnet50", labels=["can"], task=None)
    assert (found.name, found.version, found.created, found.sizes, found.files) == (None, None, None, {}, {})


@pytest.mark.parametrize("key", ["architecture", "labels"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    file = write_json(tmp_path / "manifest.json", {name: value for name, value in WHOLE.items() if name != key})
    with pytest.raises(ModelError) as caught:
        read_manifest(file)
    for part in (str(file), f"'{key}': Field required", '"architecture": NAME'):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("architecture", 5),
        ("architecture", None),
        ("labels", []),
        ("labels", "can"),
        ("labels", {"0": "can"}),
        ("labels", ["can", 5]),
        ("labels", None),
        ("task", "detector"),
        ("task", "Multiclass"),
        ("name", 5),
        ("version", "3"),
        ("version", True),
        ("sizes", {"crop": "224"}),
        ("files", ["model.pt"]),
        ("lables", ["can"]),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_a_wrong_or_unknown_key_is_named(tmp_path: Path, key: str, value: Any) -> None:
    file = write_json(tmp_path / "manifest.json", WHOLE | {key: value})
    with pytest.raises(ModelError) as caught:
        read_manifest(file)
    assert str(caught.value).startswith(f"{file} does not describe a model: '{key}")


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000], ids=["empty", "list", "half", "deep"])
def test_what_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        read_manifest(file)
