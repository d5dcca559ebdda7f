"""ImageStore: every form of `image_url` leads to a file, or to a sentence about why it does not."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from data.errors import ImageUnavailableError
from data.sources.image_store import ImageStore


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def refused(store: ImageStore, url: str, fault: str = "image_missing") -> str:
    with pytest.raises(ImageUnavailableError) as error:
        store.file(url)
    assert error.value.fault == fault
    assert len(str(error.value)) < 1500
    return str(error.value)


class TestPaths:
    def test_relative_ones_are_looked_up_beside_the_data_set_then_in_more_folders(self, tmp_path: Path) -> None:
        write(tmp_path, "set/a.jpg", "other/a.jpg", "other/b.jpg")
        store = ImageStore(tmp_path / "set", more_folders=[tmp_path / "other"])
        assert store.file("a.jpg") == tmp_path / "set/a.jpg"
        assert store.file("b.jpg") == tmp_path / "other/b.jpg"
        assert store.file("../other/b.jpg").read_text() == "other/b.jpg"
        assert store.found == {"beside the data set": 2, f"in {tmp_path}/other": 1}

    def test_where_was_looked_is_said(self, tmp_path: Path) -> None:
        said = refused(ImageStore(Path(), more_folders=[tmp_path]), "no.jpg")
        assert f"There is no file no.jpg in the working directory or {tmp_path}. " in said

    def test_a_name_is_taken_as_written_before_it_is_decoded(self, tmp_path: Path) -> None:
        write(tmp_path, "a b.jpg", "a%20b.jpg", "c d.jpg", "10:30.jpg")
        store = ImageStore(tmp_path)
        assert store.file("a%20b.jpg").name == "a%20b.jpg"
        assert store.file("c%20d.jpg").name == "c d.jpg"
        assert store.file("10:30.jpg").name == "10:30.jpg"

    @pytest.mark.parametrize("form", ["{0}/a%20b.jpg", "file://{0}/a%20b.jpg", "file://localhost{0}/a b.jpg"])
    def test_absolute_ones_are_found(self, form: str, tmp_path: Path) -> None:
        write(tmp_path, "set/x", "a b.jpg")
        store = ImageStore(tmp_path / "set")
        assert store.file(form.format(tmp_path)) == tmp_path / "a b.jpg"
        assert store.found == {"by absolute paths": 1}

    @pytest.mark.parametrize("url", ["file:a.jpg", "file://a.jpg", "file://pics/b.jpg"])
    def test_a_file_url_may_be_relative(self, url: str, tmp_path: Path) -> None:
        write(tmp_path, "a.jpg", "pics/b.jpg")
        assert ImageStore(tmp_path).file(url).is_file()

    @pytest.mark.parametrize("url", ["none.jpg", ".", "\0.jpg", "x" * 5000, "", "\ud800.jpg", "/dev/null"])
    def test_what_is_no_file_is_missing(self, url: str, tmp_path: Path) -> None:
        assert str(tmp_path) in refused(ImageStore(tmp_path), url)

    @pytest.mark.parametrize("url", ["ftp://host/a.jpg", "simplecache::http://host/a.jpg", "memory://a", "http://[x/a"])
    def test_other_schemes_are_not_read(self, url: str, tmp_path: Path) -> None:
        refused(ImageStore(tmp_path, allow_http=True), url)


DATASTORE = [
    "azureml://subscriptions/S/resourcegroups/R/workspaces/W/datastores/images/paths/{}",
    "azureml://subscriptions/S/resourceGroups/R/providers/Microsoft/workspaces/W/datastores/images/paths/{}",
    "azureml://datastores/images/paths/{}",
    "AmlDatastore://images/{}",
    "StreamInfo(AmlDatastore://{}[{{'workspaceName': 'W', 'datastoreName': 'images', 'size': 1}}])",
]


class TestDatastores:
    @pytest.mark.parametrize("form", DATASTORE)
    def test_a_path_is_below_the_root_of_its_datastore(self, form: str, tmp_path: Path) -> None:
        write(tmp_path, "store/UI/2/a b.jpg", "set/UI/2/a b.jpg")
        store = ImageStore(tmp_path / "set", roots={"images": str(tmp_path / "store")})
        assert store.file(form.format("UI/2/a%20b.jpg")) == tmp_path / "store/UI/2/a b.jpg"
        assert store.found == {"in the datastore images": 1}
        assert "the root of images" in refused(store, form.format("UI/none.jpg"))
        assert "leads out of" in refused(store, form.format("UI/%2e%2e/%2e%2e/../x.jpg"))

    @pytest.mark.parametrize("form", DATASTORE)
    def test_without_a_root_the_longest_end_of_the_path_is_looked_for(self, form: str, tmp_path: Path) -> None:
        write(tmp_path, "set/a.jpg", "set/photos/2/a.jpg", "set/photos/3/b c.jpg", "set/.hidden/2/a.jpg")
        store = ImageStore(tmp_path / "set")
        assert store.file(form.format("UI/2/a.jpg")) == tmp_path / "set/photos/2/a.jpg"
        assert store.file(form.format("other/b%20c.jpg")) == tmp_path / "set/photos/3/b c.jpg"
        assert store.found == {"by the ends of their paths": 2}
        assert "--root images=FOLDER" in refused(store, form.format("UI/none.jpg"))

    def test_two_candidates_are_named_and_none_is_taken(self, tmp_path: Path) -> None:
        write(tmp_path, "one/2/a.jpg", "two/2/a.jpg", "a.jpg")
        text = refused(ImageStore(tmp_path), "azureml://datastores/D/paths/UI/2/a.jpg", "image_ambiguous")
        assert f"{tmp_path}/one/2/a.jpg and {tmp_path}/two/2/a.jpg" in text
        # one file that is reached through two folders is one candidate
        store = ImageStore(tmp_path, more_folders=[tmp_path / "one"])
        assert store.file("azureml://datastores/D/paths/one/2/a.jpg") == tmp_path / "one/2/a.jpg"

    @pytest.mark.parametrize(
        "url", ["azureml:fridge:1", "azureml:fridge@latest", "azureml://locations/L/data/D/versions/1", "StreamInfo(x)"]
    )
    def test_data_assets_are_no_images(self, url: str, tmp_path: Path) -> None:
        assert "xpected" in refused(ImageStore(tmp_path), url)


class TestLabelStudio:
    @pytest.mark.parametrize(
        "url",
        [
            "/data/upload/3/4f-a.jpg",
            "/studio/data/upload/3/4f-a.jpg",
            "http://localhost:8080/data/upload/3/4f-a.jpg",
            "/data/local-files/?d=3/4f-a.jpg",
            "/data/local-files/?d=3%2F4f-a.jpg",
            "https://studio.example/x/data/local-files/?d=3/4f-a.jpg",
        ],
    )
    @pytest.mark.parametrize("place", ["3/4f-a.jpg", "deep/folder/4f-a.jpg"])
    def test_its_files_are_found_in_folders(self, url: str, place: str, tmp_path: Path) -> None:
        write(tmp_path, f"media/{place}", "set/x")
        store = ImageStore(tmp_path / "set", more_folders=[tmp_path / "media"])
        assert store.file(url) == tmp_path / "media" / place
        refused(ImageStore(tmp_path / "set"), url)


class TestInline:
    @pytest.mark.parametrize("url", ["data:image/png;base64,{}", "data:image/png;name=a;base64,{}", "data:;BASE64,{}"])
    def test_the_bytes_are_written_once(self, url: str, tmp_path: Path) -> None:
        store = ImageStore(tmp_path, cache=tmp_path / "cache")
        text = base64.b64encode(b"some bytes").decode()
        file = store.file(url.format(text))
        assert file.read_bytes() == b"some bytes"
        assert store.file(url.format(text)) == file

    def test_without_base64_it_is_percent_encoded(self, tmp_path: Path) -> None:
        store = ImageStore(tmp_path, cache=tmp_path / "cache")
        assert store.file("data:image/png,%89PNG").read_bytes() == b"\x89PNG"

    @pytest.mark.parametrize(
        ("url", "word"),
        [("data:image/png;base64", "comma"), ("data:;base64,a", "base64"), ("data:;base64,*", "base64")],
    )
    def test_damaged_ones_are_unreadable(self, url: str, word: str, tmp_path: Path) -> None:
        assert word in refused(ImageStore(tmp_path), url, "image_unreadable")

    def test_long_ones_are_unreadable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("data.sources.inline.MOST_CHARACTERS", 100)
        assert "100" in refused(ImageStore(tmp_path), "data:image/png;base64," + "A" * 100, "image_unreadable")


class CountingFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A store in memory that stands for others, counts what is read, and knows how it was opened."""

    protocol = ("s3", "gs", "az")
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    reads: ClassVar[list[str]] = []
    options: ClassVar[list[dict[str, Any]]] = []
    cachable = False

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options.append(options)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.partition("://")[2].strip("/") if "://" in path else str(path)

    def open(self, path: str, *rest: Any, **more: Any) -> Any:
        self.reads.append(path)
        return super().open(path, *rest, **more)


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFileSystem]:
    """An empty store behind s3://, gs:// and az://."""
    for scheme in ("s3", "gs", "az"):
        monkeypatch.setitem(_registry, scheme, CountingFileSystem)
    for each in (CountingFileSystem.store, CountingFileSystem.reads, CountingFileSystem.options):
        each.clear()
    yield CountingFileSystem()
    CountingFileSystem.store.clear()


class TestStores:
    @pytest.mark.parametrize(
        ("url", "options"),
        [
            ("s3://box/a/b.jpg", {}),
            ("gs://box/a/b.jpg", {}),
            ("az://box/a/b.jpg", {}),
            ("azure-blob://box/a/b.jpg", {}),
            ("https://acc.blob.core.windows.net/box/a/b.jpg", {"account_name": "acc"}),
            (
                "https://acc.blob.core.windows.net/box/a/b.jpg?sv=1&sig=x%3D",
                {"account_name": "acc", "sas_token": "sv=1&sig=x%3D"},
            ),
            ("wasbs://box@acc.blob.core.windows.net/a/b.jpg", {"account_name": "acc"}),
            ("abfss://box@acc.dfs.core.windows.net/a/b.jpg", {"account_name": "acc"}),
        ],
    )
    def test_each_form_of_url_names_an_object(
        self, url: str, options: dict[str, str], remote: MemoryFileSystem, tmp_path: Path
    ) -> None:
        remote.pipe("/box/a/b.jpg", b"bytes")
        store = ImageStore(tmp_path, cache=tmp_path / "cache")
        assert store.file(url).read_bytes() == b"bytes"
        assert CountingFileSystem.options[-1] == options
        assert store.found == {"in a store": 1}
        assert "does not exist" in refused(store, url.replace("b.jpg", "c.jpg"))
        refused(store, url.replace("/b.jpg", ""))

    def test_an_object_is_read_once_until_it_changes(self, remote: MemoryFileSystem, tmp_path: Path) -> None:
        remote.pipe("/box/a.jpg", b"one")
        first = ImageStore(tmp_path, cache=tmp_path / "cache").file("s3://box/a.jpg")
        CountingFileSystem.reads.clear()
        assert ImageStore(tmp_path, cache=tmp_path / "cache").file("s3://box/a.jpg") == first
        assert CountingFileSystem.reads == []
        remote.pipe("/box/a.jpg", b"other")
        assert ImageStore(tmp_path, cache=tmp_path / "cache").file("s3://box/a.jpg").read_bytes() == b"other"
        assert not first.exists()

    def test_a_datastore_may_be_in_a_store(self, remote: MemoryFileSystem, tmp_path: Path) -> None:
        remote.pipe("/box/prefix/a b.jpg", b"bytes")
        store = ImageStore(tmp_path, roots={"D": "s3://box/prefix/"}, cache=tmp_path / "cache")
        assert store.file("azureml://datastores/D/paths/a%20b.jpg").read_bytes() == b"bytes"
        assert "s3://box/prefix/c.jpg" in refused(store, "azureml://datastores/D/paths/c.jpg")

    def test_a_root_may_be_any_store_of_fsspec(self, tmp_path: Path) -> None:
        memory = fsspec.filesystem("memory")
        memory.pipe("/test_image_store/a.jpg", b"bytes")
        store = ImageStore(tmp_path, roots={"D": "memory://test_image_store"}, cache=tmp_path / "cache")
        assert store.file("AmlDatastore://D/a.jpg").read_bytes() == b"bytes"
        memory.rm("/test_image_store", recursive=True)

    def test_large_objects_are_unreadable_and_leave_nothing(
        self, remote: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("data.sources.stores.MAX_BYTES", 2**20)
        remote.pipe("/box/a.jpg", bytes(2**20 + 1))
        assert "1 MiB" in refused(ImageStore(tmp_path, cache=tmp_path / "c"), "s3://box/a.jpg", "image_unreadable")
        assert [file for file in (tmp_path / "c").rglob("*") if file.is_file()] == []

    def test_a_missing_package_says_how_to_install_it(self, tmp_path: Path) -> None:
        assert "pip install '.[gcs]'" in refused(ImageStore(tmp_path), "gs://box/a.jpg")

    def test_many_threads_may_ask_for_the_same_image(self, remote: MemoryFileSystem, tmp_path: Path) -> None:
        remote.pipe("/box/a.jpg", b"bytes")
        store = ImageStore(tmp_path, cache=tmp_path / "cache")
        with ThreadPoolExecutor(8) as threads:
            files = list(threads.map(store.file, ["s3://box/a.jpg"] * 40))
        assert {file.read_bytes() for file in files} == {b"bytes"}
        assert store.found == {"in a store": 40}
