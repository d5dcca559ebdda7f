"""Samples: the images of a folder that the page offers to try."""

from collections.abc import Mapping
from pathlib import Path

from settings.errors import SettingsError

# an image that runs scripts, such as SVG, is none of them
MEDIA_TYPES: Mapping[str, str] = {
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}
MOST_SAMPLES = 24  # more would be a gallery, and no offer


class Samples:
    """The first images of a folder by their names, as it was at the start. Without a folder there are none."""

    def __init__(self, folder: Path | None) -> None:
        """List the folder. SettingsError where that cannot be done, or it holds no image."""
        self._paths: Mapping[str, Path] = {}
        if folder is None:
            return
        try:
            found = sorted(path for path in folder.iterdir() if _is_image(path))
        except OSError as error:
            raise SettingsError(f"The folder --page-samples {folder} cannot be read: {error.strerror}.") from None
        if not found:
            known = ", ".join(MEDIA_TYPES)
            raise SettingsError(f"The folder --page-samples {folder} holds no image; expected files named {known}.")
        self._paths = {path.name: path for path in found[:MOST_SAMPLES]}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files, sorted."""
        return tuple(self._paths)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Return the bytes of a file and their media type; None for a name that is not offered, or a file now gone."""
        path = self._paths.get(name)
        if path is None:
            return None
        try:
            return path.read_bytes(), MEDIA_TYPES[path.suffix.lower()]
        except OSError:
            return None


def _is_image(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() in MEDIA_TYPES and path.is_file()
