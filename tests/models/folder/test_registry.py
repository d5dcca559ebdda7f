import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch

from models.errors import ModelError
from models.folder.layout import locate
from models.folder.manifest import Manifest, read_manifest
from models.folder.opened import OpenedFolder
from models.folder.registration import register
from models.folder.registry import Registered, check_name, incoming, look_up, publish, registered
from models.folder.verification import verify
from models.loaded import load_classifier
from settings.errors import SettingsError
from tests.support.folders.checkpoints import LABELS, write_automl_folder, write_json, write_plain_folder
from tests.support.repository import ROOT

SIZES = (40, 32)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain folder of 1.5 MB."""
    path = tmp_path_factory.mktemp("source")
    return write_plain_folder(path, architecture="torchvision/shufflenet_v2_x0_5", sizes=SIZES)


def publish_empty(root: Path, name: str, version: int | None = None) -> Registered:
    manifest = Manifest(architecture="resnet18", labels=["a"], name=name, version=version)
    with incoming(root) as folder:
        (folder / "content").mkdir()
        return publish(folder / "content", root, manifest)


def verified(path: Path) -> None:
    with OpenedFolder(locate(path)) as files:
        verify(files)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_registered_folder_is_a_copy_with_a_manifest(tmp_path: Path, source: Path) -> None:
    before = contents(source)
    found = register(source, tmp_path / "root", "fridge")
    assert found == Registered("fridge", 1, tmp_path / "root/fridge/1")
    copied = contents(found.path)
    assert copied.keys() == before.keys()
    assert {name for name in before if copied[name] != before[name]} == {"manifest.json"}
    assert contents(source) == before


def test_the_manifest_says_what_was_registered(tmp_path: Path, source: Path) -> None:
    found = register(source, tmp_path, "fridge").manifest
    assert (found.name, found.version, found.task) == ("fridge", 1, "multiclass")
    assert (found.architecture, found.labels) == ("torchvision/shufflenet_v2_x0_5", list(LABELS))
    assert found.sizes == {"valid_resize_size": 40, "valid_crop_size": 32}
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(str(found.created)) < timedelta(minutes=5)
    names = ("model.safetensors", "settings.json")
    assert found.files == {name: hashlib.sha256((source / name).read_bytes()).hexdigest() for name in names}


def test_a_training_run_is_registered_whole_and_scores_alike(tmp_path: Path) -> None:
    folder = write_automl_folder(tmp_path / "run", "run", multilabel=True, sizes=(80, 64))
    found = register(folder, tmp_path / "root", "fridge")
    assert (found.manifest.architecture, found.manifest.task) == ("resnet18", "multilabel")
    assert "outputs/mlflow-model/python_model.pkl" in found.manifest.files
    before, after = load_classifier(folder), load_classifier(found.path)
    assert torch.equal(after.outputs(after.example(1))[0], before.outputs(before.example(1))[0])
    assert load_classifier(tmp_path / "root/fridge").definition.folder.manifest == found.path / "manifest.json"


def test_a_checkpoint_file_takes_its_companions_along(tmp_path: Path, source: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    (folder / "other.txt").touch()
    found = register(folder / "model.safetensors", tmp_path / "root", "fridge")
    assert sorted(found.manifest.files) == ["model.safetensors", "settings.json"]
    assert load_classifier(found.path).preprocess.crop == 32


def test_versions_count_up_and_latest_is_the_highest_number(tmp_path: Path) -> None:
    assert [publish_empty(tmp_path, "fridge").version for _ in range(2)] == [1, 2]
    assert publish_empty(tmp_path, "fridge", 9).version == 9
    assert publish_empty(tmp_path, "fridge").version == 10
    publish_empty(tmp_path, "fridge", 5)
    publish_empty(tmp_path, "arctic")
    found = [(model.name, model.version) for model in registered(tmp_path)]
    assert found == [("arctic", 1), *(("fridge", version) for version in (1, 2, 5, 9, 10))]
    for reference in ("fridge", "fridge@latest", "fridge@10", "fridge@"):
        assert look_up(tmp_path, reference).version == 10
    assert (
        look_up(tmp_path, "fridge", "2")
        == look_up(tmp_path, "fridge@2")
        == Registered("fridge", 2, tmp_path / "fridge/2")
    )


def test_a_version_is_never_replaced(tmp_path: Path, source: Path) -> None:
    first = register(source, tmp_path, "fridge", 3)
    before = contents(first.path)
    with pytest.raises(ModelError, match=r"'fridge' already has a version 3\. Versions never change"):
        register(source, tmp_path, "fridge", 3)
    assert contents(first.path) == before
    assert [model.version for model in registered(tmp_path)] == [3]
    assert [entry.name for entry in tmp_path.iterdir()] == ["fridge"]


def test_a_folder_that_somebody_put_there_is_no_version_but_keeps_its_number(tmp_path: Path) -> None:
    (tmp_path / "fridge/4").mkdir(parents=True)
    (tmp_path / "fridge/4/notes.txt").touch()
    (tmp_path / "fridge/draft").mkdir()
    assert registered(tmp_path) == []
    assert publish_empty(tmp_path, "fridge").version == 5


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_is_at_least_1(tmp_path: Path, source: Path, version: int) -> None:
    with pytest.raises(ModelError, match=f"The version is {version}; expected a whole number of at least 1"):
        register(source, tmp_path, "fridge", version)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/a", ".a", "-a", "_a", "a b", "a@1", "ü", "a\n", "a" * 129]
)
def test_a_name_is_no_path(tmp_path: Path, source: Path, name: str) -> None:
    for use in (lambda: register(source, tmp_path, name), lambda: check_name(name)):
        with pytest.raises(ModelError, match="is no name for a model"):
            use()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "9", "Fridge-2.v1_x", "a" * 128])
def test_a_name_may_hold(name: str) -> None:
    assert check_name(name) == name


def test_what_is_not_registered_is_answered_with_what_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"No model 'fridge' is registered in .*\. Registered: none\."):
        look_up(tmp_path / "nothing", "fridge")
    for version in (1, 2):
        publish_empty(tmp_path, "fridge", version)
    with pytest.raises(ModelError, match=r"No model 'frigde' .* Registered: fridge\. Did you mean 'fridge'"):
        look_up(tmp_path, "frigde")
    for unknown in ("3", "x", "01", "-1"):
        with pytest.raises(ModelError, match=rf"'fridge' has no version '{unknown}'\. Versions: 1, 2, or latest"):
            look_up(tmp_path, "fridge", unknown)


def spoil_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


UNSERVABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model": (lambda folder: (folder / "model.safetensors").unlink(), "holds no model"),
    "half the weights": (spoil_weights, "cannot be read as safetensors"),
    "other labels": (
        lambda folder: write_json(
            folder / "manifest.json", {"architecture": "torchvision/shufflenet_v2_x0_5", "labels": ["a"]}
        ),
        "do not fit the architecture",
    ),
    "wrong settings": (
        lambda folder: write_json(folder / "settings.json", {"valid_crop_size": "large"}),
        "'valid_crop_size' is 'large'",
    ),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "holds weights only"),
    "a link to nowhere": (lambda folder: (folder / "link").symlink_to("nowhere"), "cannot be copied: .*nowhere|link"),
}


@pytest.mark.parametrize("case", UNSERVABLE)
def test_what_cannot_be_served_is_not_registered(tmp_path: Path, source: Path, case: str) -> None:
    spoil, words = UNSERVABLE[case]
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    spoil(folder)
    root = tmp_path / "root"
    with pytest.raises((ModelError, SettingsError), match=words):
        register(folder, root, "fridge")
    assert not root.exists() or list(root.iterdir()) == []


@pytest.mark.parametrize("inside", ["model_root", "a/b", "."])
def test_a_model_root_inside_the_source_is_refused(tmp_path: Path, source: Path, inside: str) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    with pytest.raises(ModelError, match="lies inside"):
        register(folder, folder / inside, "fridge")
    assert contents(folder) == contents(source)


def test_a_registered_version_can_be_registered_again(tmp_path: Path, source: Path) -> None:
    first = register(source, tmp_path, "fridge")
    second = register(first.path, tmp_path, "cellar", 4)
    assert (second.manifest.name, second.manifest.version) == ("cellar", 4)
    assert second.manifest.files == first.manifest.files
    load_classifier(second.path)


def test_a_changed_copy_of_a_registered_version_is_not_registered(tmp_path: Path, source: Path) -> None:
    first = register(source, tmp_path, "fridge")
    change_a_byte(first.path)
    with pytest.raises(ModelError, match=r"fridge/1 is not as it was registered: model\.safetensors"):
        register(first.path, tmp_path, "fridge")
    assert [model.version for model in registered(tmp_path)] == [1]


def test_leftovers_are_neither_copied_nor_models(tmp_path: Path, source: Path) -> None:
    folder = Path(shutil.copytree(source, tmp_path / "source"))
    names = (".DS_Store", "._model.safetensors", "lost+found/x", "__MACOSX/._model.safetensors", "..data/model.pt")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"left behind")
    found = register(folder, tmp_path / "root", "fridge")
    assert contents(found.path).keys() == contents(source).keys()
    for name in ("__MACOSX", "lost+found", ".Trash-0"):
        shutil.copytree(found.path, tmp_path / "root" / name / "1")
    (found.path / ".DS_Store").touch()
    assert registered(tmp_path / "root") == [found]
    load_classifier(found.path)


def test_an_error_names_the_source_and_not_the_copy(tmp_path: Path, source: Path) -> None:
    folder, root = Path(shutil.copytree(source, tmp_path / "source")), tmp_path / "root"
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", source))
    weights = archive.rename(folder / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        register(folder, root, "fridge")
    assert str(caught.value).startswith(f"{weights} is a zip archive. Unpack it")
    assert list(root.iterdir()) == []


def test_an_unfinished_folder_disappears_and_a_living_one_stays(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), incoming(tmp_path) as first:
        (first / "half").touch()
        with incoming(tmp_path) as second:
            assert first.is_dir()
            assert second != first
        assert not second.exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def change_a_byte(folder: Path) -> None:
    file = folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1  # of a weight; the file as such stays readable
    file.write_bytes(data)


CHANGES: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "a byte of the weights": (change_a_byte, "model.safetensors"),
    "other settings": (lambda folder: write_json(folder / "settings.json", {"crop_size": 16}), "settings.json"),
    "no settings": (lambda folder: (folder / "settings.json").unlink(), "settings.json"),
    "a config added": (lambda folder: write_json(folder / "config.json", {}), "config.json"),
    "a note added": (lambda folder: (folder / "README").touch(), None),
    "nothing": (lambda folder: None, None),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_after_registering_is_found_before_anything_is_served(tmp_path: Path, source: Path, case: str) -> None:
    change, name = CHANGES[case]
    found = register(source, tmp_path, "fridge")
    change(found.path)
    if name is None:
        load_classifier(found.path)
        return
    for use in (lambda: load_classifier(found.path), lambda: verified(found.path)):
        with pytest.raises(ModelError) as caught:
            use()
        assert str(caught.value).startswith(f"{found.path} is not as it was registered: {name} missing, added or ch")


def test_a_manifest_of_ones_own_promises_nothing(source: Path) -> None:
    assert read_manifest(source / "manifest.json").files == {}
    verified(source)


# Forks from one process that has imported the libraries, or two dozen imports would take up all the time
CROWD = """
import os, sys
import torchvision
from models.__main__ import main
children = []
for _ in range(12):
    child = os.fork()
    if child == 0:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        os._exit(code)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_a_dozen_processes_get_a_dozen_versions(tmp_path: Path, source: Path) -> None:
    root = tmp_path / "root"
    command = [sys.executable, "-c", CROWD, "register", str(source), "--name", "fridge", "--model-root", str(root)]
    # unbuffered, a line and its end would be two writes, and another process may write in between
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": ""}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == sorted(
        f"registered fridge@{number} in {root}/fridge/{number}" for number in range(1, 13)
    )
    assert [model.version for model in registered(root)] == list(range(1, 13))
    for model in registered(root):
        verified(model.path)
        assert model.manifest.version == model.version
        assert len(model.manifest.files) == 2
    assert [entry.name for entry in root.iterdir()] == ["fridge"]


HALF = """
import shutil, sys, time
def copy_half(source, target, **options):
    target.mkdir()
    shutil.copy(source / "manifest.json", target)
    print("half", flush=True)
    time.sleep(600)
shutil.copytree = copy_half
from models.__main__ import main
main(sys.argv[1:])
"""


def test_a_killed_process_leaves_nothing_visible_and_the_next_one_clears_up(tmp_path: Path, source: Path) -> None:
    root = tmp_path / "root"
    command = [sys.executable, "-c", HALF, "register", str(source), "--name", "fridge", "--model-root", str(root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as copying:
        assert copying.stdout is not None
        assert copying.stdout.readline() == "half\n"
        (leftover,) = root.iterdir()
        assert registered(root) == []
        register(source, root, "meanwhile")
        assert leftover.is_dir()  # its process is still at work
        copying.send_signal(signal.SIGKILL)
    assert copying.returncode == -signal.SIGKILL
    assert leftover.is_dir()
    assert [model.name for model in registered(root)] == ["meanwhile"]
    with pytest.raises(ModelError, match="Registered: meanwhile"):
        look_up(root, "fridge")
    assert register(source, root, "fridge").version == 1
    assert not leftover.exists()
    assert {entry.name for entry in root.iterdir()} == {"meanwhile", "fridge"}
