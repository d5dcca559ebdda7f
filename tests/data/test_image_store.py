"""ImageStore: every form of `image_url` leads to a file, or to a sentence about why it does not."""

from pathlib import Path

import pytest

from data.errors import ImageUnavailableError
from data.sources.image_store import ImageStore


def test_relative_paths_are_looked_up_beside_the_data_set_then_in_more_folders(tmp_path: Path) -> None:
    for name in ("set/a.jpg", "other/a.jpg", "other/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    store = ImageStore(tmp_path / "set", more_folders=[tmp_path / "other"])
    assert store.file("a.jpg") == tmp_path / "set/a.jpg"
    assert store.file("b.jpg") == tmp_path / "other/b.jpg"
    assert store.found == {"in the folder of the data set": 1, f"in {tmp_path}/other": 1}


def test_a_name_is_taken_as_written_before_it_is_decoded(tmp_path: Path) -> None:
    for name in ("a b.jpg", "a%20b.jpg", "c d.jpg"):
        (tmp_path / name).write_bytes(b"")
    store = ImageStore(tmp_path)
    assert store.file("a%20b.jpg").name == "a%20b.jpg"
    assert store.file("c%20d.jpg").name == "c d.jpg"
    assert store.file(f"file://{tmp_path}/c%20d.jpg").name == "c d.jpg"


@pytest.mark.parametrize("url", ["none.jpg", ".", "\0.jpg", "x" * 5000, ""])
def test_what_is_no_file_is_missing(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailableError) as error:
        ImageStore(tmp_path).file(url)
    assert error.value.fault == "image_missing"
    assert len(str(error.value)) < 500
