"""LinkedImages: puts images into a new folder, each under a name of its own."""

import os
import shutil
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from data.format import PlacedImage

_MOST_NAME = 200  # bytes of a name, to which others may add a suffix


class LinkedImages:
    """The images of a folder that is being written. `clashes` are sentences about names that were taken already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()
        self._made: set[str] = set()
        self.clashes: list[str] = []

    def add(self, placed: PlacedImage, folder: str = "") -> PurePosixPath:
        """Link or copy the file of an image into a subfolder; return its path in the folder.

        No two images of a subfolder share a stem, for files beside them are named by it.
        """
        assert placed.file is not None
        name = _name(placed)
        stem, suffix = name.stem, name.suffix
        number = 1
        while (key := f"{folder}/{stem}".casefold()) in self._taken:
            number += 1
            stem = f"{name.stem}-{number}"
        if number > 1:
            self.clashes.append(f"{placed.image.url} is named {stem}{suffix}, as {name.stem} was taken.")
        self._taken.add(key)
        path = PurePosixPath(folder, stem + suffix)
        target = self._folder / path
        if folder not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        _link(placed.file, target)
        return path


def _name(placed: PlacedImage) -> PurePosixPath:
    """Return the name of an image by its URL, or by its line where the URL is no name of a file."""
    assert placed.file is not None
    url = placed.image.url
    name = "" if url.startswith("data:") else PurePosixPath(unquote(urlsplit(url).path if "://" in url else url)).name
    suffix = PurePosixPath(name).suffix or placed.file.suffix
    stem = name.removesuffix(suffix).strip()
    if not stem.isprintable() or not stem.strip(".") or len(name.encode(errors="replace")) > _MOST_NAME:
        stem = f"image-{placed.image.line}"
    return PurePosixPath(stem + suffix)


def _link(file: Path, target: Path) -> None:
    """Link a file, or copy it where it is on another disk or links are not allowed."""
    # The link itself would be linked, and lead nowhere from another folder
    real = file.resolve() if file.is_symlink() else file
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
