from pathlib import Path

import pytest

from models.errors import ModelError
from models.folder.layout import locate
from tests.support.contract import contract
from tests.support.folders.checkpoints import Layout, write_automl_folder


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def relative(root: Path, file: Path | None) -> str | None:
    return None if file is None else str(file.relative_to(root))


@contract("Checkpoints and model folders", "model.pt is found in every layout that training and registering leave")
@pytest.mark.parametrize(
    ("files", "weights"),
    [
        (["model.pt"], "model.pt"),
        (["model.safetensors"], "model.safetensors"),
        (["weights.pth"], "weights.pth"),
        (["pytorch_model.bin"], "pytorch_model.bin"),
        (["artifacts/model.pt", "MLmodel", "python_model.pkl"], "artifacts/model.pt"),
        (["mlflow-model/artifacts/model.pt", "logs/x.txt"], "mlflow-model/artifacts/model.pt"),
        (["outputs/model.pt", "outputs/run_id.txt", "logs/x.txt"], "outputs/model.pt"),
        (["outputs/mlflow-model/artifacts/model.pt", "logs/x.txt"], "outputs/mlflow-model/artifacts/model.pt"),
        (["train_artifacts/model.pt", "train_artifacts/model.onnx", "logs/x.txt"], "train_artifacts/model.pt"),
        (["a/model.pt"], "a/model.pt"),
        (["a/b/model.pt"], "a/b/model.pt"),
        (["1/mlflow-model/artifacts/model.pt"], "1/mlflow-model/artifacts/model.pt"),
        (["1/INPUT/outputs/mlflow-model/artifacts/model.pt"], "1/INPUT/outputs/mlflow-model/artifacts/model.pt"),
        (["a/model.pt", ".git/config"], "a/model.pt"),
        (["a/model.pt", "README.md"], "a/model.pt"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_weights_are_found_in_every_layout(tmp_path: Path, files: list[str], weights: str) -> None:
    found = locate(touch(tmp_path, *files))
    assert relative(tmp_path, found.weights) == weights
    assert found.root == tmp_path
    assert (found.settings, found.manifest, found.config) == (None, None, None)


LEFTOVERS = (
    "lost+found",
    "__MACOSX",
    "__pycache__",
    ".ipynb_checkpoints",
    ".Trash-1000",
    "..2024_05_01_10_00_00.123",
    "$RECYCLE.BIN",
    "System Volume Information",
    "@eaDir",
    "#recycle",
    "LOST+FOUND",
)


@pytest.mark.parametrize("depth", ["", "outer/"], ids=["beside", "within"])
@pytest.mark.parametrize("name", LEFTOVERS)
def test_folders_that_systems_leave_behind_hide_no_model(tmp_path: Path, name: str, depth: str) -> None:
    touch(tmp_path, f"{depth}model_v1/artifacts/model.pt", f"{depth}model_v1/artifacts/settings.json")
    touch(tmp_path, f"{depth}{name}/model_v1/artifacts/model.pt", f"{depth}{name}/model.pt")
    found = locate(tmp_path)
    assert relative(tmp_path, found.weights) == f"{depth}model_v1/artifacts/model.pt"
    assert relative(tmp_path, found.settings) == f"{depth}model_v1/artifacts/settings.json"


@pytest.mark.parametrize("name", ["._best.pt", ".best.pt", ".DS_Store", "Thumbs.db", "desktop.ini", "._model.pt"])
@pytest.mark.parametrize("weights", ["best.pt", "a/best.pt"])
def test_files_that_systems_leave_behind_hide_no_model(tmp_path: Path, weights: str, name: str) -> None:
    beside = Path(weights).with_name(name)
    found = locate(touch(tmp_path, weights, name, str(beside), str(beside.with_name("._settings.json"))))
    assert relative(tmp_path, found.weights) == weights
    assert found.settings is None


def test_a_volume_of_kubernetes_is_a_model_folder(tmp_path: Path) -> None:
    touch(tmp_path, "..2024_05_01/model.pt", "..2024_05_01/settings.json")
    (tmp_path / "..data").symlink_to("..2024_05_01")
    for name in ("model.pt", "settings.json"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    found = locate(tmp_path)
    assert (relative(tmp_path, found.weights), relative(tmp_path, found.settings)) == ("model.pt", "settings.json")


def test_leftovers_alone_are_no_model(tmp_path: Path) -> None:
    touch(tmp_path, "lost+found/model.pt", "._model.pt", "readme.txt")
    with pytest.raises(ModelError, match=r"holds no model.*found readme\.txt, \._model\.pt, lost\+found/\.$"):
        locate(tmp_path)


@pytest.mark.parametrize("layout", ["mlflow-model", "artifacts", "outputs", "run", "train_artifacts", "bare"])
def test_what_training_writes_is_found(tmp_path: Path, layout: Layout) -> None:
    found = locate(write_automl_folder(tmp_path, layout, state={}))
    assert found.weights.name == "model.pt"
    assert (found.settings is not None) == (layout in ("mlflow-model", "artifacts", "run"))


def test_the_mlflow_folder_wins_over_the_bare_file_of_a_run(tmp_path: Path) -> None:
    touch(tmp_path, "outputs/model.pt", "outputs/mlflow-model/artifacts/model.pt", "train_artifacts/model.pt")
    touch(tmp_path, "outputs/mlflow-model/artifacts/settings.json")
    found = locate(tmp_path)
    assert relative(tmp_path, found.weights) == "outputs/mlflow-model/artifacts/model.pt"
    assert relative(tmp_path, found.settings) == "outputs/mlflow-model/artifacts/settings.json"


def test_settings_and_timms_config_stand_beside_the_weights(tmp_path: Path) -> None:
    touch(tmp_path, "artifacts/model.pt", "artifacts/settings.json", "artifacts/config.json", "settings.json")
    found = locate(tmp_path)
    assert relative(tmp_path, found.settings) == "artifacts/settings.json"
    assert relative(tmp_path, found.config) == "artifacts/config.json"


def test_a_file_may_be_named_itself(tmp_path: Path) -> None:
    touch(tmp_path, "14_model.pt", "13_model.pt", "settings.json", "manifest.json")
    found = locate(tmp_path / "13_model.pt")
    assert found.root == tmp_path
    assert found.weights == tmp_path / "13_model.pt"
    assert found.settings == tmp_path / "settings.json"
    assert found.manifest == tmp_path / "manifest.json"


@pytest.mark.parametrize(
    ("files", "manifest"),
    [
        (["manifest.json", "artifacts/model.pt"], "manifest.json"),
        (["manifest.json", "artifacts/model.pt", "artifacts/manifest.json"], "manifest.json"),
        (["artifacts/model.pt", "artifacts/manifest.json"], "artifacts/manifest.json"),
        (["1/manifest.json", "1/artifacts/model.pt"], "1/manifest.json"),
        (["1/manifest.json", "1/model.pt"], "1/manifest.json"),
    ],
    ids=["of the folder", "of the folder first", "beside the weights", "of the only version", "of a wrapped folder"],
)
def test_the_manifest_is_that_of_the_model_folder(tmp_path: Path, files: list[str], manifest: str) -> None:
    assert relative(tmp_path, locate(touch(tmp_path, *files)).manifest) == manifest


def test_a_link_to_weights_is_followed(tmp_path: Path) -> None:
    touch(tmp_path, "blobs/abc")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot/model.safetensors").symlink_to(tmp_path / "blobs/abc")
    assert locate(tmp_path / "snapshot").weights.name == "model.safetensors"


def test_the_file_called_model_is_chosen_among_others(tmp_path: Path) -> None:
    touch(tmp_path, "model.safetensors", "training_args.bin", "optimizer.pt")
    assert locate(tmp_path).weights.name == "model.safetensors"


@pytest.mark.parametrize(
    "names", [("13_model.pt", "14_model.pt"), ("model.pt", "model.safetensors")], ids=["epochs", "two forms"]
)
def test_an_unclear_choice_is_refused_with_its_candidates(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"train_artifacts/{name}" for name in names))
    with pytest.raises(ModelError) as caught:
        locate(tmp_path)
    for part in (str(tmp_path / "train_artifacts"), *names, "Name the file itself"):
        assert part in str(caught.value)


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing does not exist\. Name a folder or a checkpoint file"):
        locate(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("files", "listed"),
    [
        ([], "found an empty folder."),
        (["b.txt", "a/x.txt"], "found a/, b.txt."),
        ([f"{number}.txt" for number in range(9)], "7.txt, ...."),
        (["a/b/c/model.pt"], "found a/."),
        (["a/model.pt", "b/model.pt"], "found a/, b/."),
        (["model.pt/x.txt", "b/x.txt"], "found b/, model.pt/."),
        (["model.onnx"], "found model.onnx."),
    ],
    ids=["empty", "other files", "many files", "too deep", "two folders", "a folder called model.pt", "onnx only"],
)
def test_a_folder_without_a_model_says_what_is_in_it(tmp_path: Path, files: list[str], listed: str) -> None:
    with pytest.raises(ModelError) as caught:
        locate(touch(tmp_path, *files))
    assert str(caught.value).startswith(f"{tmp_path} holds no model. Expected model.pt or model.safetensors")
    assert str(caught.value).endswith(listed)
