import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.definition import Definition, resolve
from models.errors import ModelError
from models.folder.content import read
from models.folder.layout import locate
from models.folder.manifest import Manifest, read_manifest
from models.folder.opened import OpenedFolder
from models.labels import checked_labels, shown
from tests.support.folders import transformers_folders
from tests.support.folders.checkpoints import TIMM_CONFIG, automl_checkpoint, write_json

SERVED: dict[str, Any] = {
    "texts": ["can", "carton"],
    "whole numbers": [0, 10, 5],
    "negative numbers": [-1, 2**62],
    "numbers of numpy": [np.int64(3), np.int32(4)],
    "texts of numpy": [np.str_("a"), np.str_("b")],
    "a tuple": ("a", "b"),
    "an array": np.array([7, 8]),
    "nothing": ["", "a"],
    "twice the same": ["crane", "crane"],
    "line breaks and other controls": ["a\nb", "\x00", "\x1b[31m", "\u2028"],
    "digits and other words": ["1", "true", "null", "--bg--"],
    "scripts and pictures": ["ü", "猫", "🐈", "é", "\ufeffa"],
    "long": ["x" * 1_000_000, "y"],
}

REFUSED: dict[str, tuple[Any, str]] = {
    "half of a pair": (["a", "caf\udce9"], r"label 1 is 'caf\\udce9', which is no Unicode text"),
    "the other half": (["\ud800"], r"label 0 is '\\ud800', which is no Unicode text"),
    "mixed": (["a", 1], "some labels are texts and others numbers"),
    "true": ([True, False], "label 0 is True; expected a text or a whole number"),
    "true of numpy": ([np.bool_(True)], "label 0 is True; expected a text or a whole number"),
    "None": (["a", None], "label 1 is None; expected a text or a whole number"),
    "a fraction": ([1.0, 2.0], r"label 0 is 1\.0; expected a text or a whole number"),
    "not a number": ([float("nan")], "label 0 is nan; expected"),
    "bytes": ([b"a"], "label 0 is b'a'; expected"),
    "a list": ([["a"]], r"label 0 is \['a'\]; expected"),
    "a number too large": ([2**63], "label 0 is a number of 64 bits; expected at most 63"),
    "an endless number": ([10**6000], "label 0 is a number of 19932 bits"),
    "too long": (["x" * 5_000_000], "the labels take 5000004 bytes as JSON; expected at most 4194304"),
    "no list": ("can", "the labels are 'can'; expected a list"),
    "an empty list": ([], r"the labels are \[\]; expected a list"),
    "a mapping": ({"0": "can"}, "expected a list of texts or of whole numbers"),
}


@pytest.mark.parametrize("case", SERVED)
def test_labels_are_kept_as_they_are(case: str) -> None:
    found = checked_labels(SERVED[case])
    assert found == tuple(SERVED[case])
    assert {type(label) for label in found} <= {str, int}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_label_is_refused_with_its_place(case: str) -> None:
    value, words = REFUSED[case]
    with pytest.raises(ValueError, match=words) as caught:
        checked_labels(value)
    assert len(str(caught.value)) < 400
    str(caught.value).encode()


def test_labels_are_shown_on_one_line() -> None:
    assert shown(["a", "", "b\nc", "\x1b[0m", "ü"], 9) == r"a, '', 'b\nc', '\x1b[0m', ü"
    assert shown([1, 2, 3], 2) == "1, 2, ..."
    assert len(shown(["x" * 1000], 8)) == 80


STATE = {"weight": torch.zeros(3)}


def resolved(folder: Path) -> Definition:
    with OpenedFolder(locate(folder)) as files:
        return resolve(read(files))


def of_checkpoint(folder: Path, labels: list[Any]) -> Path:
    content = automl_checkpoint(STATE, labels=["a"] * len(labels))
    content["specs"]["labels"] = labels
    torch.save(content, folder / "model.pt")
    return folder


def of_detector(folder: Path, labels: list[Any]) -> Path:
    content = automl_checkpoint(STATE, name="fasterrcnn_resnet18_fpn", labels=["a"] * (len(labels) + 1))
    content["specs"] = {"model_settings": {}, "classes": ["--bg--", *labels]}
    torch.save(content, folder / "model.pt")
    return folder


def of_manifest(folder: Path, labels: list[Any]) -> Path:
    torch.save(STATE, folder / "model.pt")
    write_json(folder / "manifest.json", {"architecture": "resnet18", "labels": labels})
    return folder


def of_timm(folder: Path, labels: list[Any]) -> Path:
    torch.save(STATE, folder / "model.pt")
    write_json(folder / "config.json", TIMM_CONFIG | {"num_classes": len(labels), "label_names": labels})
    return folder


@pytest.mark.parametrize("write", [of_checkpoint, of_detector, of_manifest, of_timm])
@pytest.mark.parametrize("labels", [[3, 1, 2], ["a", "", "a"]], ids=["numbers", "texts"])
def test_every_file_may_name_labels(tmp_path: Path, write: Callable[[Path, Any], Path], labels: list[Any]) -> None:
    assert resolved(write(tmp_path, labels)).labels == tuple(labels)


@pytest.mark.parametrize("write", [of_checkpoint, of_detector, of_manifest, of_timm])
@pytest.mark.parametrize("case", ["half of a pair", "mixed", "None", "true"])
def test_every_file_is_checked(tmp_path: Path, write: Callable[[Path, Any], Path], case: str) -> None:
    labels, words = REFUSED[case]
    with pytest.raises(ModelError, match=words) as caught:
        resolved(write(tmp_path, labels))
    assert str(caught.value).startswith(str(tmp_path))


def test_labels_of_transformers_are_checked(tmp_path: Path) -> None:
    folder = transformers_folders.save(tmp_path / "vit", "ViTForImageClassification")
    file = folder / "config.json"
    config = json.loads(file.read_text())
    write_json(file, config | {"id2label": dict.fromkeys(config["id2label"], "caf\udce9")})
    with pytest.raises(ModelError, match=r"label 0 is .* no Unicode text"):
        resolved(folder)


@pytest.mark.parametrize("labels", [[0, 10], ["", "a\nb"]], ids=["numbers", "texts"])
def test_a_manifest_keeps_labels(tmp_path: Path, labels: list[Any]) -> None:
    written = Manifest(architecture="resnet18", labels=labels).model_dump_json()
    (tmp_path / "manifest.json").write_text(written)
    assert read_manifest(tmp_path / "manifest.json").labels == labels
