"""ImageCache: images that were fetched, kept on the disk until what is at their URL changes."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile


@dataclass(frozen=True, slots=True)
class ImageCache:
    """One folder for each URL, which holds the newest image there under the hash of its entity tag, and that tag."""

    folder: Path

    def entry(self, url: str) -> "CacheEntry":
        """Return what is kept of a URL. Leave out of it what only gives access and changes from day to day."""
        name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        return CacheEntry(self.folder / name[:2] / name)


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What is kept of one URL. Processes may read and write it at the same time."""

    folder: Path

    def tag(self) -> str | None:
        """Return the entity tag of the image that is kept, or None without one."""
        try:
            tag = (self.folder / "tag").read_text()
        except FileNotFoundError:
            return None
        return tag if self.file(tag).is_file() else None

    def file(self, tag: str) -> Path:
        """Return where the image with an entity tag is, if it is kept."""
        return self.folder / hashlib.sha256(tag.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def keep(self, tag: str, blocks: Iterable[bytes]) -> Path:
        """Write an image and let go of others; return its file. OSError where it cannot be written.

        What `blocks` raises is raised on, and nothing is kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.file(tag)
        self._write(file, blocks)
        self._write(self.folder / "tag", [tag.encode()])
        for other in self.folder.iterdir():
            if other not in (file, self.folder / "tag") and not other.name.startswith("."):
                other.unlink(missing_ok=True)
        return file

    def _write(self, file: Path, blocks: Iterable[bytes]) -> None:
        with NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as growing:
            try:
                for block in blocks:
                    growing.write(block)
                growing.close()
                Path(growing.name).replace(file)
            except BaseException:
                Path(growing.name).unlink(missing_ok=True)
                raise


def user_cache() -> Path:
    """Return the folder for images of all data sets, in the user's folder for caches."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "sightglass" / "images"
