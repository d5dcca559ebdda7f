"""Lists the images in a folder, the same on every file system."""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
)


def is_image_name(name: str) -> bool:
    """Return whether a file is named like an image that is not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - a million times


def images_below(folder: Path, *, follow_links: bool = False) -> Iterator[Path]:
    """Yield the images in a folder and below it, sorted; hidden ones are left out.

    So are links to folders, unless they are followed, each folder once.
    """
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=follow_links):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if follow_links:
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
        for name in sorted(filter(is_image_name, files)):
            yield Path(place, name)


def has_images(folder: Path) -> bool:
    """Return whether a folder has an image directly in it."""
    with os.scandir(folder) as entries:
        return any(is_image_name(entry.name) and entry.is_file() for entry in entries)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are not hidden, sorted by name."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return [folder / name for name in names]
