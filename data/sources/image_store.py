"""ImageStore: from what stands in `image_url` to a file on this machine."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from urllib.parse import unquote

from data.errors import ImageUnavailableError
from settings.excerpt import shortened


class ImageStore:
    """Finds the images of one data set. May be used by many threads.

    `folder` is what relative URLs are relative to, and `more_folders` where they are looked for after that. A URL may
    also lead out of these folders: whoever wrote the data set may point at any file that this process may read.
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
        self.found: Counter[str] = Counter()
        self._lock = Lock()

    def file(self, url: str) -> Path:
        """Return the file with the bytes of an image; ImageUnavailableError where it cannot be had."""
        for path, how in self._candidates(url.removeprefix("file://") if url.startswith("file://") else url):
            if _is_file(path):
                with self._lock:
                    self.found[how] += 1
                return path
        raise ImageUnavailableError(
            "image_missing", f"No file {shortened(url, 300)} in {', '.join(map(str, self._folders))}."
        )

    def _candidates(self, written: str) -> Iterator[tuple[Path, str]]:
        for name in dict.fromkeys((written, unquote(written))):
            for folder in self._folders:
                yield folder / name, "in the folder of the data set" if folder is self._folders[0] else f"in {folder}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or one that no file can have
        return False
