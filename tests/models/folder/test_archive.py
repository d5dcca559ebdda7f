import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.assembly import assemble
from models.errors import ModelError
from models.folder.archive import archive_name
from tests.support.folders.checkpoints import write_automl_folder

FORMATS = {
    "zip": "a zip archive",
    "tar": "a tar archive",
    "gztar": "a gzip archive",
    "bztar": "a bzip2 archive",
    "xztar": "an xz archive",
}
# of formats that Python cannot write: what the files start with
STARTS = {
    b"7z\xbc\xaf\x27\x1c\x00\x04": "a 7z archive",
    b"Rar!\x1a\x07\x01\x00": "a rar archive",
    b"\x28\xb5\x2f\xfd\x04\x88": "a zstd archive",
    b"PK\x05\x06" + bytes(18): "a zip archive",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_automl_folder(tmp_path_factory.mktemp("folder"), state={"weight": torch.zeros(200)})


def named(data: bytes) -> str | None:
    return archive_name(io.BytesIO(data))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [1.0, 0.5], ids=["whole", "cut off"])
def test_a_packed_folder_is_an_archive(tmp_path: Path, folder: Path, kind: str, share: float) -> None:
    data = Path(shutil.make_archive(str(tmp_path / "packed"), kind, folder)).read_bytes()
    assert named(data[: int(share * len(data))]) == FORMATS[kind]


@pytest.mark.parametrize(("start", "name"), STARTS.items())
def test_other_archives_are_known_by_their_start(start: bytes, name: str) -> None:
    assert named(start + bytes(600)) == name


@pytest.mark.parametrize("modern", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.01], ids=["whole", "cut off", "only the start"])
def test_a_checkpoint_is_none(folder: Path, share: float, modern: bool) -> None:
    content, file = torch.load(next(folder.rglob("model.pt")), weights_only=False), io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=modern)
    data = file.getvalue()
    assert named(data[: max(100, int(share * len(data)))]) is None


def test_other_files_are_none() -> None:
    assert [named(data) for data in (b"", b"PK", bytes(10_000), b"\x08" + bytes(7) + b"{}", b"text\n" * 500)] == 5 * [
        None
    ]


def test_a_checkpoint_that_was_packed_is_an_archive(tmp_path: Path, folder: Path) -> None:
    weights = next(folder.rglob("model.pt"))
    for name in ("model.pt", "a/model.pt"):
        with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
            packed.write(weights, name)
        assert named((tmp_path / "packed.zip").read_bytes()) == "a zip archive"


def place_as_weights(folder: Path, archive: Path) -> Path:
    return Path(shutil.copy(archive, folder / "model.pt")).parent


def place_as_safetensors(folder: Path, archive: Path) -> Path:
    return Path(shutil.copy(archive, folder / "model.safetensors")).parent


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (lambda folder, archive: archive, r"packed\.zip is a zip archive\. Unpack it"),
        (place_as_weights, r"model\.pt is a zip archive\. Unpack it"),
        (place_as_safetensors, r"model\.safetensors is a zip archive\. Unpack it"),
        (
            lambda folder, archive: archive.parent,
            r"packed\.zip in it is a zip archive: unpack it first",
        ),
    ],
    ids=["itself", "as model.pt", "as safetensors", "its folder"],
)
def test_an_archive_as_a_model_is_refused(
    tmp_path: Path, folder: Path, place: Callable[[Path, Path], Path], words: str
) -> None:
    archives = tmp_path / "archives"
    archive = Path(shutil.make_archive(str(archives / "packed"), "zip", folder))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match=words) as caught:
        assemble(place(tmp_path / "folder", archive))
    assert "damaged" not in str(caught.value)
