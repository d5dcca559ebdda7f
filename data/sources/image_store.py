"""ImageStore: from what stands in `image_url` to a file on this machine."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from urllib.parse import unquote

from data.errors import ImageUnavailableError
from data.sources.address import (
    DatastoreAddress,
    InlineAddress,
    LabelStudioAddress,
    LocalAddress,
    StoreAddress,
    WebAddress,
    address_of,
)
from data.sources.folder_index import FolderIndex
from data.sources.image_cache import ImageCache, user_cache
from data.sources.inline import unpack_inline
from data.sources.stores import fetch_from_store
from data.sources.web import fetch_from_web
from settings.excerpt import shortened

_MOST_QUOTED = 300
_MOST_NAMED = 4


class ImageStore:
    """Finds the images of one data set. May be used by many threads.

    `folder` is what relative URLs are relative to, and `more_folders` where they are looked for after that. A path may
    also lead out of these folders: whoever wrote the data set may point at any file that this process may read.
    `roots` are the folders, or the URLs in stores, of datastores by name; a path in a datastore stays below its root.
    `cache` is where images from elsewhere are kept; without one, it is in the user's folder for caches.

    `found` counts the images by how they were found.
    """

    def __init__(
        self,
        folder: Path,
        *,
        roots: Mapping[str, str] | None = None,
        more_folders: Sequence[Path] = (),
        allow_http: bool = False,
        cache: Path | None = None,
    ) -> None:
        self._folders = (folder, *more_folders)
        self._roots = dict(roots or {})
        self._allow_http = allow_http
        self._cache = ImageCache(cache or user_cache())
        self._index = FolderIndex(self._folders)
        self._lock = Lock()
        self.found: Counter[str] = Counter()

    def file(self, url: str) -> Path:
        """Return the file with the bytes of an image.

        ImageUnavailableError where it cannot be had: `image_missing`, `image_ambiguous` where two files may be meant,
        or `image_unreadable`. OSError where the cache cannot be written.
        """
        path, how = self._found(url)
        with self._lock:
            self.found[how] += 1
        return path

    def url_from(self, url: str, file: Path, folder: Path) -> str:
        """Return what to write for an image in a data set that is in `folder`; `file` is what `file` returned for it.

        Absolute paths, stores and datastores with a root stay as they are, and other files get a relative path.
        """
        match address_of(url):
            case StoreAddress() | WebAddress() | InlineAddress():
                return url
            case LocalAddress(path) if Path(path).is_absolute():
                return url
            case DatastoreAddress(datastore, _) if datastore in self._roots:
                return url
        # a link to a folder has other parents than its name tells
        path = os.path.relpath(os.path.realpath(file.parent), os.path.realpath(folder))
        path = os.path.normpath(f"{path}/{file.name}")
        return f"./{path}" if ":" in path.partition("/")[0] else path

    def _found(self, url: str) -> tuple[Path, str]:
        match address_of(url):
            case LocalAddress(path):
                return self._local(path)
            case DatastoreAddress(datastore, path):
                return self._in_datastore(datastore, path)
            case LabelStudioAddress(paths, web):
                return self._of_label_studio(url, paths, web)
            case InlineAddress():
                return unpack_inline(url, self._cache), "in their URLs"
            case StoreAddress() | WebAddress() as address:
                return self._fetched(address)

    def _local(self, path: str) -> tuple[Path, str]:
        for name in _spellings(path):
            for number, folder in enumerate(self._folders):
                if _is_file(folder / name):
                    if Path(name).is_absolute():
                        return folder / name, "by absolute paths"
                    return folder / name, f"in {folder}" if number else "beside the data set"
        raise ImageUnavailableError(
            "image_missing",
            f"There is no file {shortened(path, _MOST_QUOTED)} in {self._searched()}. Correct the path, or name the "
            "folder of the images with --root.",
        )

    def _in_datastore(self, datastore: str, path: str) -> tuple[Path, str]:
        path = path.lstrip("/")
        if any(".." in name.split("/") for name in _spellings(path)):
            raise ImageUnavailableError(
                "image_missing", f"{shortened(path, _MOST_QUOTED)} leads out of the datastore {datastore}."
            )
        root = self._roots.get(datastore)
        if root is None:
            return self._by_its_end(path, f"The datastore {datastore} has no root (--root {datastore}=FOLDER)")
        if "://" in root and not root.startswith("file://"):
            return self._below(root, path)
        folder = Path(root.removeprefix("file://"))
        for name in _spellings(path):
            if _is_file(folder / name):
                return folder / name, f"in the datastore {datastore}"
        raise ImageUnavailableError(
            "image_missing", f"There is no file {shortened(path, _MOST_QUOTED)} in {folder}, the root of {datastore}."
        )

    def _below(self, root: str, path: str) -> tuple[Path, str]:
        base, mark, query = root.partition("?")
        missing: ImageUnavailableError | None = None
        for name in _spellings(path):
            url = f"{base.rstrip('/')}/{name}{mark}{query}"
            try:
                try:
                    address = address_of(url)
                except ImageUnavailableError:  # whoever gives a root may choose any store that fsspec knows
                    address = StoreAddress(url, url)
                if isinstance(address, StoreAddress | WebAddress):
                    return self._fetched(address)
                return self._found(url)
            except ImageUnavailableError as error:
                missing = missing or error
        assert missing is not None
        raise missing

    def _of_label_studio(self, url: str, paths: Sequence[str], web: str | None) -> tuple[Path, str]:
        for path in (url, *paths):
            for name in _spellings(path):
                for folder in self._folders:
                    if _is_file(folder / name):
                        return folder / name, "among files of Label Studio"
        if web is not None and self._allow_http:
            return self._fetched(WebAddress(web))
        return self._by_its_end(paths[0], f"{shortened(url, _MOST_QUOTED)} is a file of Label Studio")

    def _by_its_end(self, path: str, why: str) -> tuple[Path, str]:
        for name in _spellings(path):
            found = self._index.candidates(name)
            if len(found) == 1:
                return found[0], "by the ends of their paths"
            if found:
                shown = " and ".join(str(file) for file in found[:_MOST_NAMED])
                more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
                raise ImageUnavailableError(
                    "image_ambiguous",
                    f"{why}, and {shortened(path, _MOST_QUOTED)} may be any of {shown}{more}. Say which by a root.",
                )
        raise ImageUnavailableError(
            "image_missing", f"{why}, and no file in {self._searched()} ends like {shortened(path, _MOST_QUOTED)}."
        )

    def _fetched(self, address: StoreAddress | WebAddress) -> tuple[Path, str]:
        if isinstance(address, StoreAddress) and address.web and self._allow_http and find_spec("adlfs") is None:
            address = WebAddress(address.web)
        if isinstance(address, StoreAddress):
            return fetch_from_store(address, self._cache), "in a store"
        if not self._allow_http:
            raise ImageUnavailableError(
                "image_missing",
                f"{shortened(address.url, _MOST_QUOTED)} is on the web, which is read only with --allow-http.",
            )
        return fetch_from_web(address.url, self._cache), "on the web"

    def _searched(self) -> str:
        return " or ".join("the working directory" if each == Path() else str(each) for each in self._folders)


def _spellings(path: str) -> Iterator[str]:
    """Yield a path as it is written, then with its percent-encoding undone."""
    yield path
    if (decoded := unquote(path)) != path:
        yield decoded


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False
