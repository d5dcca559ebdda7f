"""The order in which a model folder is taken up: each file is opened once, and hashes come before parsing."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.assembly import assemble
from models.errors import ModelError
from models.folder.checkpoint import read_checkpoint
from models.folder.layout import locate
from models.folder.opened import OpenedFolder
from models.folder.registration import register
from tests.support.folders.checkpoints import (
    write_automl_folder,
    write_json,
    write_mlmodel,
    write_plain_folder,
    write_timm_folder,
)
from tests.support.folders.transformers_folders import save
from tests.support.repository import ROOT

SHUFFLENET = "torchvision/shufflenet_v2_x0_5"

# An audit hook sees every attempt to open a file, and only a process of its own forgets it
OPENED = """
import sys
from pathlib import Path
from models.loaded import load
opened, folders = [], sys.argv[1:]
sys.addaudithook(lambda event, arguments: event == "open" and opened.append(str(arguments[0])))
for folder in folders:
    load(Path(folder))
print(*(name for name in opened if name.startswith(tuple(folders))), sep="\\n")
"""


def plain(path: Path) -> Path:
    write_plain_folder(path, architecture=SHUFFLENET, sizes=(40, 32))
    (path / "README.md").write_text("a note")
    return path


def timm(path: Path) -> Path:
    write_timm_folder(path)
    write_json(path / "settings.json", {"valid_crop_size": 64})
    return path


def automl(path: Path) -> Path:
    return write_automl_folder(path, "artifacts", sizes=(40, 32))


def transformers(path: Path) -> Path:
    save(path, "ViTForImageClassification")
    write_json(path / "settings.json", {})
    write_mlmodel(path, None)
    return path


def sharded(path: Path) -> Path:
    save(path, "ViTForImageClassification")
    file = path / "model.safetensors"
    state = load_file(file)
    file.unlink()
    parts: list[dict[str, Any]] = [{}, {}]
    for number, (name, tensor) in enumerate(state.items()):
        parts[number % 2][name] = tensor
    for number, part in enumerate(parts):
        save_file(part, path / f"model-{number}.safetensors")
    weight_map = {name: f"model-{number}.safetensors" for number, part in enumerate(parts) for name in part}
    write_json(path / "model.safetensors.index.json", {"weight_map": weight_map})
    return path


def test_loading_a_registered_folder_opens_each_file_once(tmp_path: Path) -> None:
    models = [
        register(write(tmp_path / write.__name__), tmp_path / "root", write.__name__)
        for write in (plain, timm, automl, transformers, sharded)
    ]
    command = [sys.executable, "-c", OPENED, *(str(model.path) for model in models)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    expected = [model.path / name for model in models for name in ("manifest.json", *model.manifest.files)]
    assert Counter(map(Path, done.stdout.splitlines())) == Counter(expected)


COMPANIONS = {
    "settings.json": b"{",
    "config.json": b"{",
    "preprocessor_config.json": b"{",
    "MLmodel": b"signature: [",
    "model.safetensors": b"version https://git-lfs.github.com/spec/v1",
}


@pytest.mark.parametrize("name", COMPANIONS)
def test_hashes_are_compared_before_anything_is_parsed(tmp_path: Path, name: str) -> None:
    path = register(transformers(tmp_path / "source"), tmp_path / "root", "small").path
    (path / name).write_bytes(COMPANIONS[name])
    with pytest.raises(ModelError, match=rf"is not as it was registered: {name} missing, added or changed"):
        assemble(path)


def test_an_index_is_not_parsed_before_its_hash_is_compared(tmp_path: Path) -> None:
    path = register(sharded(tmp_path / "source"), tmp_path / "root", "small").path
    (path / "model.safetensors.index.json").write_bytes(b"{")
    with pytest.raises(ModelError, match=r"index\.json missing, added or changed"):
        assemble(path)


def test_a_shard_that_registering_has_not_seen_is_refused(tmp_path: Path) -> None:
    model = register(sharded(tmp_path / "source"), tmp_path / "root", "small")
    manifest = model.manifest
    files = {name: digest for name, digest in manifest.files.items() if name != "model-1.safetensors"}
    write_json(model.path / "manifest.json", manifest.model_dump() | {"files": files})
    with pytest.raises(ModelError, match=r"model-1\.safetensors missing, added or changed"):
        assemble(model.path)


def test_a_processor_that_came_later_is_refused(tmp_path: Path) -> None:
    path = register(transformers(tmp_path / "source"), tmp_path / "root", "small").path
    write_json(path / "processor_config.json", {"image_processor": {"image_processor_type": "ViTImageProcessor"}})
    with pytest.raises(ModelError, match=r"processor_config\.json missing, added or changed"):
        assemble(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="elsewhere files are opened again by their names")
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_are_those_that_were_hashed_even_if_another_file_takes_their_name(tmp_path: Path, suffix: str) -> None:
    def write(name: str, value: float) -> Path:
        state = {"weight": torch.full((2,), value)}
        file = tmp_path / f"{name}{suffix}"
        save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
        return file

    file = write("model", 1)
    with OpenedFolder(locate(file)) as files:
        files.sha256(file)
        write("other", 2).replace(file)
        assert read_checkpoint(files.weights(file)).state["weight"].tolist() == [1, 1]


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    file = plain(tmp_path / "model") / "model.safetensors"
    with OpenedFolder(locate(file)) as files:
        file.unlink()
        with pytest.raises(ModelError, match=rf"{file} cannot be read: No such file or directory\."):
            files.weights(file)
