"""The folder of maps: what is kept is read again, and what is damaged, in use or of another job is not taken."""

from pathlib import Path

import numpy as np
import pytest

from data.errors import DataError
from explain.summary.image_maps import ImageMaps, enlarged, shrunk
from explain.summary.map_folder import MapFolder
from tests.support.drawn_maps import spot

JOB = {"model": "ab", "n_steps": "auto"}
HASH = "0f" * 32


def test_maps_are_read_as_they_were_kept(tmp_path: Path) -> None:
    folder = MapFolder(tmp_path / "maps")
    maps = ImageMaps((3, 1), (0.9, 0.6), {3: spot(0.3, 0.6).astype(np.float32)}, 3)
    with folder.opened(JOB):
        assert folder.maps(HASH) is None and not folder.has(HASH)
        folder.keep(HASH, maps)
        assert folder.has(HASH)
    with folder.opened(JOB):
        found = MapFolder(tmp_path / "maps").maps(HASH)
    assert found is not None
    assert (found.selected, found.scores, found.best) == ((3, 1), (0.9, 0.6), 3)
    assert list(found.maps) == [3]
    assert found.maps[3] == pytest.approx(maps.maps[3], abs=1e-3)


def test_an_image_without_any_map_is_kept_too(tmp_path: Path) -> None:
    found = ImageMaps.from_bytes(ImageMaps((), (), {}, 0).to_bytes())
    assert (found.selected, found.maps) == ((), {})


@pytest.mark.parametrize(
    "content", [b"", b"PK", ImageMaps((1,), (0.5,), {1: np.ones((48, 48), np.float32)}, 1).to_bytes()[:-90]]
)
def test_damaged_maps_are_not_there(tmp_path: Path, content: bytes) -> None:
    folder = MapFolder(tmp_path)
    (tmp_path / HASH[:2]).mkdir()
    (tmp_path / HASH[:2] / f"{HASH}.npz").write_bytes(content)
    assert folder.maps(HASH) is None


def test_maps_of_another_job_are_refused(tmp_path: Path) -> None:
    with MapFolder(tmp_path).opened(JOB):
        pass
    said = r"maps of another job: model was 'ab' and is 'cd', seed was None and is 1"
    with pytest.raises(DataError, match=said), MapFolder(tmp_path).opened({**JOB, "model": "cd", "seed": 1}):
        pass


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds 'holiday.jpg', and no job.json"), MapFolder(tmp_path).opened(JOB):
        pass
    (tmp_path / "job.json").write_text("[")
    with pytest.raises(DataError, match="not valid JSON"), MapFolder(tmp_path).opened(JOB):
        pass


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    first, second = MapFolder(tmp_path), MapFolder(tmp_path)
    with first.opened(JOB), pytest.raises(DataError, match="in use by another process"), second.opened(JOB):
        pass


def test_maps_keep_their_sum_as_they_are_shrunk() -> None:
    values = np.random.default_rng(0).random((224, 224), dtype=np.float32)
    assert shrunk(values).mean() == pytest.approx(values.mean(), rel=1e-3)
    assert shrunk(np.eye(32, dtype=np.float32)).shape == (48, 48), "a network may see less"
    assert enlarged(shrunk(values), 100).shape == (100, 100)
